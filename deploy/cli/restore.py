"""`convoca restore`: the whole deployment brought back from its file."""

import asyncio
import contextlib
import logging
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import structlog
import typer
from sqlalchemy import text

from deploy.cli.migrate import bring_up_to_date
from deploy.cli.progress import bytes_passing
from deploy.cli.target import Target, is_named, target
from deploy.cli.terminal import DEFAULT_FOLDER, DataFolder, Json, Service, answer, fail, refuse, say, verb
from deploy.embedded.folder import Folder
from deploy.kafka.access import access_to
from deploy.kafka.rights import publisher_user
from deploy.operations import keys
from deploy.operations.archive import Backup, BadBackup
from deploy.operations.programs import NoPrograms
from deploy.operations.restore import ALL_OR_NONE, Ground, RefusedRestore, Wishes, check_file
from deploy.operations.restore import restore as bring_back
from deploy.operations.snapshots import DumpFailed
from shared.events.topics import INBOUND
from shared.settings import REPLAY_DAYS

app = verb()
File = Annotated[Path, typer.Argument(metavar="FILE", help="What `convoca backup` wrote.")]
Replace = Annotated[bool, typer.Option("--replace", help="Even where the databases hold something, which is lost.")]
LoseLinks = Annotated[
    bool, typer.Option("--lose-links", help="Even where the key differs, so that links in old mails are dead.")
]
Alone = Annotated[Service | None, typer.Option("--service", hidden=True)]


@app.command()
def restore(
    file: File,
    replace: Replace = False,  # noqa: FBT002 - an option of a command
    lose_links: LoseLinks = False,  # noqa: FBT002
    service: Alone = None,
    as_json: Json = False,  # noqa: FBT002
    data: DataFolder = DEFAULT_FOLDER,
) -> None:
    """Bring back all three databases from a backup, make the streams anew and have the services fill them.

    The services must not run, and are started afterwards; an embedded stack is stopped first. Nothing is touched before
    the file was verified. With --json its manifest is printed.

    Example: convoca restore /srv/backups/monday.convoca --replace
    """
    if service is not None:
        refuse(ALL_OR_NONE)
    wishes = Wishes(replace, lose_links)
    # What a service tells its log while it takes records is no answer of ours.
    structlog.configure(
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR),
    )
    try:
        with contextlib.closing(Backup(file)) as backup:
            if is_named():
                where = target(data)
                known = keys.told(where.environment) or None
                _verified(backup, known, wishes)
                asyncio.run(_into_deployment(backup, where, known, wishes))
            else:
                known = _keys_of(Folder(data))
                _verified(backup, known, wishes)
                asyncio.run(_into_folder(backup, data, known, wishes))
    except (BadBackup, NoPrograms, DumpFailed, RefusedRestore) as error:
        fail(str(error))
    say(f"restored as it was at {backup.manifest.at.isoformat(timespec='seconds')}; start the services")
    say("who was erased after that must be erased again, and mails that were owed then are sent")
    if as_json:
        answer(backup.manifest.model_dump_json())


def _verified(backup: Backup, known: tuple[str, ...] | None, wishes: Wishes) -> None:
    check_file(backup, known, wishes)
    if known is None:
        say("CONVOCA_SECRET_KEY is not told to this command: whether links in old mails will work was not looked at")
    with bytes_passing("verifying", backup.size) as heard:
        backup.verify(heard)


async def _into_deployment(backup: Backup, where: Target, known: tuple[str, ...] | None, wishes: Wishes) -> None:
    with _restoring(backup) as heard:
        ground = Ground(where.database_urls(), where.kafka(), known, where.replay_horizon())
        await bring_back(backup, ground, wishes, say, heard)
    await bring_up_to_date(where)
    access = access_to(where.kafka())
    for service in INBOUND:
        for name in await _publishers(where, service):
            if where.kafka().kafka_security.startswith("sasl") and not await access.knows(
                publisher_user(service, name)
            ):
                say(f"the publisher {name} of {service} is no user of this broker: remove it and add it again")


async def _into_folder(backup: Backup, data: Path, known: tuple[str, ...] | None, wishes: Wishes) -> None:
    """Restore into the folder of an embedded stack that does not run; its broker begins empty anyway."""
    from deploy.embedded import resting  # noqa: PLC0415 - the image that looks after a deployment has no stack

    async with resting.databases(data, say) as urls:
        with _restoring(backup) as heard:
            await bring_back(backup, Ground(urls, None, known, timedelta(days=REPLAY_DAYS)), wishes, say, heard)


async def _publishers(where: Target, service: str) -> list[str]:
    async with where.transaction(service) as tx:
        return list(await tx.session.scalars(text("SELECT name FROM publishers ORDER BY name")))


def _keys_of(folder: Folder) -> tuple[str, ...]:
    if folder.running():
        message = f"a stack runs in {folder.root}: stop its `convoca up` first, and start it again afterwards"
        raise RefusedRestore(message)
    there = (folder.root / "secrets.json").exists()
    return tuple(folder.secrets().key.split()) if there else ()


def _restoring(backup: Backup) -> AbstractContextManager[Callable[[int], None]]:
    manifest = backup.manifest
    return bytes_passing("restoring", sum(manifest.parts[each.database].bytes for each in manifest.services.values()))
