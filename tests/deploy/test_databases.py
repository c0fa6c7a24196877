"""Roles and databases that `convoca migrate` makes, on a real PostgreSQL."""

from collections.abc import AsyncIterator
from urllib.parse import quote, urlsplit

import asyncpg
import pytest
import pytest_asyncio

from deploy.databases import provide
from tests.brokers import Parts
from tests.wire import Wire

ROLE = "provided-here"
WORD, OTHER = "plainly ñ/€ 'word'", "another one"


@pytest_asyncio.fixture
async def superuser(parts: Parts) -> AsyncIterator[str]:
    yield parts.database("postgres")
    connection = await asyncpg.connect(parts.database("postgres"))
    await connection.execute(f'DROP DATABASE IF EXISTS "{ROLE}" WITH (FORCE)')
    await connection.execute(f'DROP ROLE IF EXISTS "{ROLE}"')
    await connection.close()


def address(superuser: str, word: str) -> str:
    parts = urlsplit(superuser)
    return f"postgresql://{ROLE}:{quote(word, safe='')}@{parts.hostname}:{parts.port}/{ROLE}"


async def asked_as_itself(url: str) -> str:
    connection = await asyncpg.connect(url)
    try:
        return str(await connection.fetchval("SELECT current_user"))
    finally:
        await connection.close()


async def test_a_service_logs_in_with_its_password_however_often_it_was_provided(superuser: str) -> None:
    url = address(superuser, WORD)
    for _ in range(3):
        await provide(superuser, {"catalogue": url})

        assert await asked_as_itself(url) == ROLE


async def test_the_password_of_an_address_is_the_one_that_holds(superuser: str) -> None:
    await provide(superuser, {"catalogue": address(superuser, WORD)})
    await provide(superuser, {"catalogue": address(superuser, OTHER)})

    assert await asked_as_itself(address(superuser, OTHER)) == ROLE
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asked_as_itself(address(superuser, WORD))


async def test_an_address_without_a_password_leaves_the_role_with_none(superuser: str) -> None:
    await provide(superuser, {"catalogue": address(superuser, WORD)})
    await provide(superuser, {"catalogue": address(superuser, "")})

    with pytest.raises(asyncpg.InvalidPasswordError):
        await asked_as_itself(address(superuser, WORD))


async def test_postgresql_is_told_no_password(superuser: str) -> None:
    said: list[bytes] = []
    parts = urlsplit(superuser)
    wire = Wire(parts.port or 0, heard=said.append)
    await wire.mend()
    through = superuser.replace(f":{parts.port}/", f":{wire.port}/")
    try:
        for word in (WORD, OTHER):
            await provide(through, {"catalogue": address(superuser, word)})
    finally:
        await wire.cut()

    everything = b"".join(said).decode(errors="replace")
    assert everything.count(f'ROLE "{ROLE}" LOGIN PASSWORD \'SCRAM-SHA-256$') >= len((WORD, OTHER))
    for word in (WORD, OTHER):
        assert word.partition("'")[0] not in everything
