"""Programmes taken from a file: every row answers for itself."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from services.catalogue import domain, operations
from services.catalogue.imports import csv_file, yaml_file
from services.catalogue.imports.rows import GroupRow, Kind, Location, ProgrammeRow, Row, WorkshopRow, with_offsets
from services.catalogue.imports.yaml_file import UnreadableFile
from services.catalogue.tables import Group, Programme
from shared.database import Database, Transaction
from shared.errors import Invalid, Problem, wording

__all__ = ["RowOutcome", "UnreadableFile", "import_file"]

Outcome = Literal["created", "updated", "unchanged", "refused"]
Read = ProgrammeRow | WorkshopRow


@dataclass(frozen=True, slots=True)
class RowOutcome:
    """What became of one row; `reason` says why it was refused, with the line and the name of what is wrong."""

    line: int
    kind: Kind
    key: str | None
    outcome: Outcome
    reason: str | None = None


class _Tried(Exception):  # noqa: N818 - no error: it undoes what was tried and carries the outcome out
    def __init__(self, outcome: Outcome) -> None:
        super().__init__()
        self.outcome = outcome


async def import_file(
    database: Database,
    path: Path,
    *,
    now: datetime,
    redate: date | None = None,
    dry_run: bool = False,
    on_row: Callable[[RowOutcome], None] = lambda _: None,
) -> list[RowOutcome]:
    """Take what a YAML or CSV file says into the catalogue, each row in a transaction of its own.

    With `redate` the whole programme is moved into the months after that day. With `dry_run` nothing stays, and the
    outcomes are those that would be. `on_row` hears of each row in turn. Raises UnreadableFile for a file that is not
    what its name says, and whatever the database raises.
    """
    checked = [(row, _check(row, twin)) for row, twin in _with_twins(_read(path))]
    weeks = 0
    if redate is not None:
        clocks = [clock for _, found in checked if isinstance(found, WorkshopRow) for clock in found.clocks]
        weeks = domain.weeks_ahead(clocks, redate)
    outcomes = []
    for row, found in checked:
        if isinstance(found, str):
            outcome = RowOutcome(row.line, row.kind, row.key, "refused", found)
        else:
            outcome = await _take(database, row, found, weeks, now, dry_run=dry_run)
        outcomes.append(outcome)
        on_row(outcome)
    return outcomes


def _read(path: Path) -> list[Row]:
    readers = {".csv": csv_file.read, ".yaml": yaml_file.read, ".yml": yaml_file.read}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise UnreadableFile(f"a programme is a file {', '.join(readers)}; this one is {path.name}")
    content = path.read_bytes()
    try:
        return list(reader(content.decode("utf-8-sig")))
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise UnreadableFile(f"line {line}: this is not UTF-8; save the file as UTF-8") from error


def _with_twins(rows: Sequence[Row]) -> list[tuple[Row, Row | None]]:
    """Put beside each row the earlier one that has its name, if there is one."""
    first: dict[tuple[Kind, str | None], Row] = {}
    return [(row, twin if (twin := first.setdefault((row.kind, row.key), row)) is not row else None) for row in rows]


def _check(row: Row, twin: Row | None) -> Read | str:
    """Read a row, or say what is wrong with it."""
    if not isinstance(row.data, dict):
        return row.told([((), "this is not a row with named fields")])
    if twin is not None and row.key is not None:
        return row.told([(("slug",), f"{row.key} stands on line {twin.line} already")])
    try:
        return _read_row(row.kind, row.data)
    except Invalid as problem:
        return _told(row, problem)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        return row.told((each["loc"], wording(each)) for each in found)


def _read_row(kind: Kind, data: dict[str, Any]) -> Read:
    match kind:
        case "programme":
            return ProgrammeRow.model_validate(data)
        case "group":
            return GroupRow.model_validate(data)
        case "workshop":
            found = WorkshopRow.model_validate(with_offsets(data))
            found.statement(weeks=0)  # says nothing against itself, so that its dates can be moved
            return found


async def _take(database: Database, row: Row, found: Read, weeks: int, now: datetime, *, dry_run: bool) -> RowOutcome:
    outcome: Outcome = "refused"
    reason: str | None = None
    try:
        async with database.transaction(now) as tx:
            outcome = await (_try if dry_run else _state)(tx, found, weeks)
    except _Tried as tried:
        outcome = tried.outcome
    except Invalid as problem:
        reason = _told(row, problem)
    except Problem as problem:
        reason = f"line {row.line}: {problem.detail}"
    return RowOutcome(row.line, row.kind, found.slug, outcome, reason)


async def _state(tx: Transaction, found: Read, weeks: int) -> Outcome:
    match found:
        case WorkshopRow():
            return await operations.state_workshop(tx, found.slug, found.statement(weeks), found.state)
        case GroupRow():
            return await operations.state_group(tx, Group(**dict(found)))
        case _:
            return await operations.state_programme(tx, Programme(**dict(found)))


async def _try(tx: Transaction, found: Read, weeks: int) -> Outcome:
    raise _Tried(await _state(tx, found, weeks))


def _told(row: Row, problem: Invalid) -> str:
    return row.told((_steps(name), message) for name, message in problem.fields)


def _steps(name: str) -> Location:
    return tuple(int(step) if step.isdecimal() else step for step in name.split("."))
