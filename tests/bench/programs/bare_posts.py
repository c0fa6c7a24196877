"""The limit of `post-many` and `post-rush`: the rows of each enrolment in a bare asyncpg transaction of its own."""

import asyncio
import itertools
import json
import sys
import time
from datetime import UTC, datetime
from uuid import UUID

import asyncpg
import uuid_utils.compat as uuids
import uvloop

from tests.bench import world
from tests.bench.programs import rows
from tests.bench.programs.rows import Outbox


async def main(database: str, workers: int, connections: int, workshops: int, warm: float, seconds: float) -> None:
    """Enrol for `warm` seconds unmeasured, then for `seconds`; print the rate."""
    pool = await asyncpg.create_pool(database, min_size=connections, max_size=connections)
    organisations = {f"Ajuntament {number}": uuids.uuid7() for number in range(world.ORGANISATIONS)}
    names = list(organisations)
    identities = [f"city:ES:{name.casefold()}" for name in names]
    await pool.fetch(rows.ADD_ORGANISATIONS, list(organisations.values()), identities, names, datetime.now(UTC))
    numbers = itertools.count()
    done = 0
    begin = time.perf_counter() + warm
    end = begin + seconds

    async def work() -> None:
        nonlocal done
        while time.perf_counter() < end:
            number = next(numbers)
            organisation = organisations[names[number * 7 % len(names)]]
            async with pool.acquire() as connection, connection.transaction():
                await _enrol(connection, number, world.workshop_id(number % workshops), organisation)
            if begin <= time.perf_counter() < end:
                done += 1

    await asyncio.gather(*(work() for _ in range(workers)))
    await pool.close()
    sys.stdout.write(json.dumps({"rate": done / seconds}))


async def _enrol(connection: rows.Connection, number: int, workshop: UUID, organisation: UUID) -> None:
    now = datetime.now(UTC)
    name, email = f"Núria Camps {number}", f"post.{number}@example.org"
    person, enrolment = uuids.uuid7(), uuids.uuid7()
    seats = await connection.fetchrow(rows.TAKE_A_SEAT, workshop)
    if seats is None:
        raise RuntimeError("the workshop is full, which the load does not foresee")
    await connection.execute(rows.ADD_PERSON, person, email, name, organisation, now)
    drawn = await connection.fetchval(rows.ADD_ENROLMENT, enrolment, workshop, person, organisation, now)
    outbox = Outbox(now)
    outbox.person(person, name, email, organisation)
    outbox.enrolment(enrolment, workshop, person, organisation, drawn)
    outbox.seats(workshop, seats["capacity"], seats["confirmed"], seats["sequence"])
    await outbox.write(connection)


if __name__ == "__main__":
    uvloop.run(main(**json.load(sys.stdin)))
