"""Everything that is said to people is said in the three languages, wherever it stands in the project."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from babel.messages.catalog import Message
from babel.messages.extract import extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.pofile import read_po

ROOT = Path(__file__).parents[2]
COMMON = ROOT / "shared" / "web"
FOLDERS = sorted(folder.parent for top in ("shared", "services", "deploy") for folder in (ROOT / top).glob("**/locale"))
NAMES = [str(folder.relative_to(ROOT)) for folder in FOLDERS]
PLACE = re.compile(r"%\(\w+\)[sd]|\{\w*\}")

Id = str | tuple[str, ...]


@cache
def said(folder: Path) -> frozenset[Id]:
    """Find what the code and the templates of a folder say."""
    with (ROOT / "babel.cfg").open(encoding="utf-8") as file:
        methods, options = parse_mapping_cfg(file)  # type: ignore[no-untyped-call]
    found = extract_from_dir(folder, methods, options)
    return frozenset(message for _, _, message, _, _ in found if isinstance(message, str | tuple))


@cache
def translated(folder: Path, language: str) -> dict[Id, Message]:
    path = folder / "locale" / f"{language}.po"
    if not path.exists():
        return {}
    with path.open("rb") as file:
        catalogue = read_po(file, locale=language, abort_invalid=True)
    return {_id(message): message for message in catalogue if message.id}


def obsolete(folder: Path, language: str) -> int:
    path = folder / "locale" / f"{language}.po"
    return path.read_text(encoding="utf-8").count("\n#~") if path.exists() else 0


def _id(message: Message) -> Id:
    identity: Any = message.id
    return tuple(identity) if isinstance(identity, list | tuple) else str(identity)


def _is_ready(message: Message) -> bool:
    strings: Any = message.string
    return not message.fuzzy and all(strings if isinstance(strings, list | tuple) else [strings])


def _texts(message: Message) -> Iterator[tuple[str, str]]:
    """Pair what is said in the code with what is said in the language; the last form is the one of many."""
    strings: Any = message.string
    if not isinstance(message.id, list | tuple):
        yield str(message.id), strings
        return
    yield message.id[-1], strings[-1]


def test_the_folders_that_speak_are_found() -> None:
    assert COMMON in FOLDERS
    assert said(COMMON)


@pytest.mark.parametrize("language", ["ca", "es"])
@pytest.mark.parametrize("folder", FOLDERS, ids=NAMES)
def test_all_that_is_said_is_translated(folder: Path, language: str) -> None:
    own, common = translated(folder, language), translated(COMMON, language)
    found = {one: own.get(one) or common.get(one) for one in said(folder)}
    missing = sorted(str(one) for one, message in found.items() if message is None)
    assert not missing, "\n".join(["not in the catalogue:", *missing])
    wanting = sorted(str(one) for one, message in found.items() if message and not _is_ready(message))
    assert not wanting, "\n".join(["without a translation that somebody has approved:", *wanting])


@pytest.mark.parametrize("language", ["ca", "es", "en"])
@pytest.mark.parametrize("folder", FOLDERS, ids=NAMES)
def test_nothing_is_translated_that_nobody_says(folder: Path, language: str) -> None:
    unused = sorted(str(one) for one in translated(folder, language).keys() - said(folder))
    assert not unused, "\n".join(["nobody says:", *unused])
    assert not obsolete(folder, language)


@pytest.mark.parametrize("language", ["ca", "es", "en"])
@pytest.mark.parametrize("folder", FOLDERS, ids=NAMES)
def test_translations_fill_in_the_same_values(folder: Path, language: str) -> None:
    for message in translated(folder, language).values():
        for source, target in _texts(message):
            if target:
                assert sorted(set(PLACE.findall(target))) == sorted(set(PLACE.findall(source))), source
