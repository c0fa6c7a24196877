"""A programme written in YAML, read so that every part of it knows its line."""

from collections.abc import Iterator
from typing import Any, get_args

import yaml
from yaml.nodes import MappingNode, Node, SequenceNode

from services.catalogue.imports.rows import Kind, Location, Row

SECTIONS: dict[str, Kind] = {f"{kind}s": kind for kind in get_args(Kind)}
NOTHING = "tag:yaml.org,2002:null"
"""All else is left as it is written: YAML would read Norway's `NO` as false and a time without offset as UTC's."""


class UnreadableFile(Exception):  # noqa: N818 - an adjective
    """A file as a whole cannot be read; its text says where and why."""


def read(text: str) -> Iterator[Row]:
    """Give the rows of all sections; raises UnreadableFile."""
    try:
        loader = yaml.SafeLoader(text)
        yield from _rows(loader, loader.get_single_node())
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}: " if mark else ""
        message = f"{where}{error.problem or error.context}"
        raise UnreadableFile(message) from error
    except yaml.YAMLError as error:
        raise UnreadableFile(" ".join(str(error).split())) from error
    except RecursionError as error:
        raise UnreadableFile("parts stand within parts too deeply") from error


def _rows(loader: yaml.SafeLoader, root: Node | None) -> Iterator[Row]:
    if not isinstance(root, MappingNode):
        message = f"line {_line(root)}: there must be lists named {', '.join(SECTIONS)}"
        raise UnreadableFile(message)
    sections = {key.value: (key, node) for key, node in root.value}
    for name, (key, node) in sections.items():
        if name not in SECTIONS or not isinstance(node, SequenceNode):
            message = f"line {_line(key)}: {name!s:.40} is not a list named {', '.join(SECTIONS)}"
            raise UnreadableFile(message)
    for name, kind in SECTIONS.items():  # what others refer to comes first
        for row in sections[name][1].value if name in sections else ():
            yield _row(loader, kind, row)


def _row(loader: yaml.SafeLoader, kind: Kind, node: Node) -> Row:
    def line_of(location: Location) -> int:
        return _line(_part(node, location))

    return Row(kind, _line(node), _value(loader, node, ()), line_of, lambda location: ".".join(map(str, location)))


def _value(loader: yaml.SafeLoader, node: Node, above: tuple[Node, ...]) -> Any:  # noqa: ANN401 - what YAML can say
    if node in above:
        raise UnreadableFile(f"line {_line(node)}: this contains itself")
    inside = (*above, node)
    match node:
        case MappingNode():
            loader.flatten_mapping(node)
            names = [key.value for key, _ in node.value]
            twice = next((key for place, (key, _) in enumerate(node.value) if key.value in names[:place]), None)
            if twice is not None:
                raise UnreadableFile(f"line {_line(twice)}: {twice.value!s:.40} stands here for the second time")
            return {str(key.value): _value(loader, value, inside) for key, value in node.value}
        case SequenceNode():
            return [_value(loader, value, inside) for value in node.value]
        case _:
            return None if node.tag == NOTHING else str(node.value)


def _part(node: Node, location: Location) -> Node:
    """Find the part of a row that a fault lies in, or as near to it as the file goes."""
    for step in location:
        found: Node | None = None
        if isinstance(node, MappingNode):
            found = next((value for key, value in node.value if key.value == step), None)
        elif isinstance(node, SequenceNode) and isinstance(step, int) and step < len(node.value):
            found = node.value[step]
        if found is None:
            return node
        node = found
    return node


def _line(node: Node | None) -> int:
    return 1 if node is None else node.start_mark.line + 1
