"""Workshops in a table, one a row, each with one session."""

import csv
import io
from collections.abc import Iterator
from typing import Any

from services.catalogue.imports.rows import Location, Row
from services.catalogue.imports.yaml_file import UnreadableFile

LANGUAGES = ("ca", "es", "en")
TEXTS = ("title", "summary")
TERMS = ("opens_at", "closes_at", "approval", "external_url")
DATES = ("starts_at", "ends_at", "timezone", "mode", "join_url")
PLACE = ("name", "city", "country", "address")
PLAIN = ("slug", "state", "kind", "language", "per_organisation", "programme", "group")
WAYS = ("in_person", "online")
COLUMNS = (
    *PLAIN,
    *(f"{text}_{language}" for text in TEXTS for language in LANGUAGES),
    *DATES,
    *(f"place_{part}" for part in PLACE),
    *(f"seats_{way}" for way in WAYS),
    "themes",
    *TERMS,
)
"""`themes` are separated by spaces; seats are a number or `unlimited`, and empty where one cannot attend so."""
UNLIMITED = "unlimited"


def read(text: str) -> Iterator[Row]:
    """Give the rows of a table whose first line names its columns; raises UnreadableFile."""
    header = text.partition("\n")[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=header.count), strict=True)
    try:
        names = [name.strip() for name in next(reader, [])]
        _check(names)
        before = reader.line_num
        for cells in reader:
            line, before = before + 1, reader.line_num
            if any(cell.strip() for cell in cells):
                yield _row(line, names, cells)
    except csv.Error as error:
        raise UnreadableFile(f"line {reader.line_num}: {error}") from error


def _check(names: list[str]) -> None:
    if strange := [name for name in names if name not in COLUMNS]:
        raise UnreadableFile(f"line 1: there is no column {', '.join(strange)[:80]}; there are {', '.join(COLUMNS)}")
    if len(set(names)) < len(names):
        raise UnreadableFile("line 1: a column stands there twice")
    if "slug" not in names:
        raise UnreadableFile("line 1: the column slug is missing")


def _row(line: int, names: list[str], cells: list[str]) -> Row:
    data: object = None
    if len(cells) <= len(names):
        data = _nested({name: cell.strip() for name, cell in zip(names, cells, strict=False) if cell.strip()})
    return Row("workshop", line, data, lambda _: line, _column)


def _nested(cells: dict[str, str]) -> dict[str, Any]:
    """Put the cells of a row in the shape of a workshop; what is empty is left out."""
    data: dict[str, Any] = {name: cells[name] for name in PLAIN if name in cells}
    for text in TEXTS:
        data[text] = {language: cells[f"{text}_{language}"] for language in LANGUAGES if f"{text}_{language}" in cells}
    session: dict[str, Any] = {name: cells[name] for name in DATES if name in cells}
    if place := {part: cells[f"place_{part}"] for part in PLACE if f"place_{part}" in cells}:
        session["place"] = place
    data["sessions"] = [session]
    seats = {way: cells[f"seats_{way}"] for way in WAYS if f"seats_{way}" in cells}
    data["seats"] = {way: None if number == UNLIMITED else number for way, number in seats.items()}
    data["themes"] = cells.get("themes", "").split()
    data["registration"] = {name: cells[name] for name in TERMS if name in cells}
    return data


def _column(location: Location) -> str:
    """Name the column that a part of a workshop stands in."""
    inside = [str(step) for step in location if not isinstance(step, int)]
    if inside[:1] in (["sessions"], ["registration"]) and len(inside) > 1:
        inside = inside[1:]
    return "_".join(inside)
