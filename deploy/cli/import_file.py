"""`convoca import`: a programme of activities taken from a file."""

import asyncio
import json
from collections import Counter
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from deploy.cli.target import target
from deploy.cli.terminal import DEFAULT_FOLDER, DataFolder, Json, answer, fail, say, verb
from services.catalogue.imports import RowOutcome, UnreadableFile, import_file
from shared.database import Database

app = verb()
File = Annotated[
    Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, readable=True, help="A .yaml or .csv file.")
]
Redate = Annotated[bool, typer.Option("--redate", help="Move all dates into the coming months; weekdays stay.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would become of each row, and change nothing.")]


@app.command("import")
def take(
    file: File,
    redate: Redate = False,  # noqa: FBT002 - an option of a command
    dry_run: DryRun = False,  # noqa: FBT002
    as_json: Json = False,  # noqa: FBT002
    data: DataFolder = DEFAULT_FOLDER,
) -> None:
    """Take a programme from a file: each row is created, updated, unchanged, or refused with a reason.

    A refused row stops no other; the command then ends with 1.

    Example: convoca import programme.yaml --redate --dry-run
    """
    url = target(data).database_url("catalogue")
    now = datetime.now(UTC)

    def show(row: RowOutcome) -> None:
        if not as_json:
            answer(f"{row.outcome:10} {row.kind:10} {row.key or '-'}{f': {row.reason}' if row.reason else ''}")

    async def work() -> list[RowOutcome]:
        database = Database(url, "catalogue")
        try:
            day = now.date() if redate else None
            return await import_file(database, file, now=now, redate=day, dry_run=dry_run, on_row=show)
        finally:
            await database.close()

    try:
        rows = asyncio.run(work())
    except UnreadableFile as error:
        fail(f"{file}: {error}")
    if as_json:
        answer(json.dumps([asdict(row) for row in rows], ensure_ascii=False))
    counts = Counter(row.outcome for row in rows)
    say(f"{file.name}: {', '.join(f'{n} {outcome}' for outcome, n in counts.items()) or 'no rows'}")
    if counts["refused"]:
        raise SystemExit(1)
