"""`convoca outbox list`, as staff and scripts use it on a running stack."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import asyncpg
import pytest

from tests.deploy.conftest import Command
from tests.deploy.running import Up

COUNT = 5
REFUSED = """
    INSERT INTO outbox (event_id, topic, key, type, headers, created_at, refused)
    SELECT 'listed-' || n, 'catalogue.workshops', convert_to(n::text, 'UTF8'), 'workshop.held', '', now(),
        'MessageSizeTooLargeError'
    FROM generate_series(1, $1) n
"""


async def change(stack: Up, statement: str, *values: object) -> None:
    connection = await asyncpg.connect(stack.shown()["databases"]["catalogue"])
    try:
        await connection.execute(statement, *values)
    finally:
        await connection.close()


@pytest.fixture
def refused(stack: Up) -> Iterator[None]:
    asyncio.run(change(stack, REFUSED, COUNT))
    yield
    asyncio.run(change(stack, "DELETE FROM outbox WHERE event_id LIKE 'listed-%'"))


@pytest.mark.usefixtures("refused")
def test_a_list_comes_in_pages_and_says_where_more_is(command: Command) -> None:
    pages, said_to_people = [], []
    cursor: int | None = 0
    while cursor is not None:
        piece = ("outbox", "list", "--service", "catalogue", "--limit", "2", "--cursor", str(cursor))
        page: dict[str, Any] = json.loads(command(*piece, "--json")[1])
        said_to_people.append(command(*piece)[2].strip())
        pages.append([item["event_id"] for item in page["items"]])
        cursor = page["next"]
        assert (f"more with --cursor {cursor}" in said_to_people[-1]) == (cursor is not None)

    assert pages == [["listed-1", "listed-2"], ["listed-3", "listed-4"], ["listed-5"]]
    assert [said[: len("convoca: 2")] for said in said_to_people] == ["convoca: 2", "convoca: 2", "convoca: 1"]


@pytest.mark.usefixtures("refused")
def test_a_list_is_whole_where_all_is_asked_for(command: Command) -> None:
    for most in ("2", str(COUNT)):
        code, out, said = command("outbox", "list", "--service", "catalogue", "--limit", most, "--all")

        assert (code, len(out.splitlines())) == (0, COUNT)
        assert said.strip() == f"convoca: {COUNT} refused messages of catalogue"


@pytest.mark.usefixtures("refused")
def test_a_page_that_holds_all_there_is_does_not_speak_of_more(command: Command) -> None:
    page = json.loads(command("outbox", "list", "--service", "catalogue", "--limit", str(COUNT), "--json")[1])

    assert (len(page["items"]), page["next"]) == (COUNT, None)
