"""Each service's database: whether it answers, is of the right version and revision, and tells our time."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from deploy.operations.doctor.bus import of_bus, of_notices
from deploy.operations.doctor.findings import Finding, Patient, ill, well
from deploy.operations.snapshots import Connection, revision
from shared import migrations

MEBIBYTE = 1_048_576
SECONDS_TO_ANSWER = 10


async def of_database(patient: Patient, service: str) -> list[Finding]:
    """Look at one database; where it does not answer, that is all there is to say."""
    try:
        async with _connected(patient.databases[service]) as database:
            found = [
                _version(patient, service, database),
                await _clock(patient, service, database),
                await _size(service, database),
                migrated := await _migrations(service, database),
            ]
            if migrated.ok:
                found += await of_bus(patient, service, database)
                if service == "notifications":
                    found += await of_notices(patient, database)
            return found
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        do = "start PostgreSQL, or mend the address and password that the setting names; its own log says more"
        return [ill("database", service, f"does not answer: {reason}", do)]


def of_disk(patient: Patient) -> list[Finding]:
    """Look at the disk of the embedded stack; elsewhere the server's disk is not seen from here."""
    if patient.folder is None:
        return []
    disk = shutil.disk_usage(patient.folder)
    says = f"{disk.free // MEBIBYTE} of {disk.total // MEBIBYTE} MiB are free where {patient.folder} lies"
    if disk.free < patient.limits.free * disk.total:
        return [ill("disk", "embedded", says, "make room: see `full disk` in deploy/RUNBOOK.md")]
    return [well("disk", "embedded", says)]


def _version(patient: Patient, service: str, database: Connection) -> Finding:
    version = database.get_server_version()
    says = f"PostgreSQL {version.major}.{version.minor or version.micro}"
    if version.major < patient.limits.postgres:
        return ill("database", service, f"{says} is too old", f"move to PostgreSQL {patient.limits.postgres}")
    return well("database", service, f"{says} answers")


async def _clock(patient: Patient, service: str, database: Connection) -> Finding:
    before = patient.clock()
    theirs = await database.fetchval("SELECT clock_timestamp()")
    after = patient.clock()
    skew = theirs - (before + (after - before) / 2)
    says = f"PostgreSQL's clock is {skew.total_seconds():+.1f} s off ours"
    if abs(skew) > patient.limits.skew + (after - before):
        return ill("clock", service, says, "have both machines set their clocks by NTP")
    return well("clock", service, says)


async def _size(service: str, database: Connection) -> Finding:
    size = await database.fetchval("SELECT pg_database_size(current_database())")
    largest = await database.fetch(
        "SELECT relname, pg_total_relation_size(oid) AS size FROM pg_class"
        " WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' ORDER BY 2 DESC LIMIT 2"
    )
    most = ", ".join(f"{row['relname']} {row['size'] // MEBIBYTE}" for row in largest if row["size"] >= MEBIBYTE)
    return well("size", service, f"{size // MEBIBYTE} MiB{f', most of it in {most}' if most else ''}")


async def _migrations(service: str, database: Connection) -> Finding:
    stands, known = await revision(database), migrations.revisions(service)
    if stands == known[0]:
        return well("migrations", service, f"at revision {stands}, the newest")
    if stands is not None and stands not in known:
        says = f"at revision {stands}, which this release does not know: the database is newer"
        return ill("migrations", service, says, f"use the newer release; the newest here is {known[0]}")
    return ill("migrations", service, f"at revision {stands or 'none'}, not {known[0]}", f"convoca migrate {service}")


@asynccontextmanager
async def _connected(url: str) -> AsyncIterator[Connection]:
    database: Connection = await asyncpg.connect(
        url,
        timeout=SECONDS_TO_ANSWER,
        command_timeout=SECONDS_TO_ANSWER,
        server_settings={"application_name": "convoca-doctor"},
    )
    try:
        yield database
    finally:
        await database.close(timeout=SECONDS_TO_ANSWER)
