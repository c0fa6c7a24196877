"""What a PromQL expression asks for, as far as names go: metrics, and the labels by which it chooses and groups."""

import re
from dataclasses import dataclass

STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
GROUPING = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)")
TIMES = re.compile(r"\[[^\]]*\]|\boffset\s+\w+")
CHOICE = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)")
SELECTOR = re.compile(r"(?<![\w.])([a-zA-Z_:][\w:]*)\s*(?:\{([^}]*)\})?(?!\w|\s*\()")
WORDS = frozenset({"and", "or", "unless", "bool", "inf", "nan"})


@dataclass(frozen=True, slots=True)
class Asked:
    """The metrics of an expression with the labels by which each is chosen, and the labels by which all are grouped."""

    metrics: dict[str, frozenset[str]]
    grouped: frozenset[str]


def asked(expression: str) -> Asked:
    """Read an expression."""
    bare = STRING.sub('""', expression)
    grouped = {label for found in GROUPING.finditer(bare) for label in re.findall(r"\w+", found[1])}
    bare = TIMES.sub("", GROUPING.sub("", bare))
    metrics: dict[str, frozenset[str]] = {}
    for name, choices in SELECTOR.findall(bare):
        if name.lower() not in WORDS:
            metrics[name] = metrics.get(name, frozenset()) | frozenset(CHOICE.findall(choices))
    return Asked(metrics, frozenset(grouped))
