"""`convoca backup`: the whole deployment in one file."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from deploy.cli.progress import bytes_passing
from deploy.cli.target import Target, target
from deploy.cli.terminal import DEFAULT_FOLDER, DataFolder, Json, answer, fail, say, verb
from deploy.embedded.folder import Folder
from deploy.operations import keys
from deploy.operations.archive import BadBackup
from deploy.operations.backup import Source
from deploy.operations.backup import backup as keep
from deploy.operations.programs import NoPrograms
from deploy.operations.snapshots import DumpFailed
from shared.events.topics import SERVICES
from shared.settings import PREFIX

app = verb()
File = Annotated[Path, typer.Argument(metavar="FILE", help="Where it is written; there must be no such file yet.")]


@app.command()
def backup(
    file: File,
    as_json: Json = False,  # noqa: FBT002 - an option of a command
    data: DataFolder = DEFAULT_FOLDER,
) -> None:
    """Keep all three databases, and what waits on Kafka for the services, in one file; the services may run.

    The file holds personal data, and no secret: it is readable by its owner only, and the keys must be kept elsewhere.
    With --json its manifest is printed.

    Example: convoca backup /srv/backups/monday.convoca
    """
    where = target(data)
    source = Source(where.database_urls(), where.kafka(), signing_keys(where, data), _secrets(where))
    if not source.keys:
        say(f"{PREFIX}SECRET_KEY is not told to this command: a restore will not notice if another key signs the links")
    try:
        with bytes_passing("writing") as heard:
            manifest = asyncio.run(keep(source, file, say, heard))
    except (BadBackup, NoPrograms, DumpFailed) as error:
        fail(str(error))
    size = sum(part.bytes for part in manifest.parts.values())
    say(f"{file}: {size} bytes, readable by its owner only; it holds personal data. Keep beside it, elsewhere:")
    for secret in manifest.secrets:
        say(f"  {secret}")
    if as_json:
        answer(manifest.model_dump_json())


def signing_keys(where: Target, data: Path) -> tuple[str, ...]:
    """Give the keys that sign links in a deployment, where they are known here."""
    return tuple(Folder(data).secrets().key.split()) if where.embedded else keys.told(where.environment)


def _secrets(where: Target) -> tuple[str, ...]:
    if where.embedded:
        return ("secrets.json",)
    names = [f"{PREFIX}SECRET_KEY", f"{PREFIX}SMTP_URL"]
    names += [f"{PREFIX}{service.upper()}_DATABASE_URL" for service in SERVICES]
    if where.kafka().kafka_security.startswith("sasl"):
        names.append(f"{PREFIX}KAFKA_ADMIN_PASSWORD")
        names += [f"{PREFIX}{service.upper()}_KAFKA_PASSWORD" for service in SERVICES]
    return tuple(names)
