"""Whatever stands in what outside systems say: it is taken, refused or laid down, and never a fault of ours."""

import json
from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from services.catalogue.subscribers import follow as catalogue
from services.registration import operations
from services.registration.subscribers import follow as registration
from shared.database import Database
from shared.events.contract import every_shape, sample_files
from shared.messaging import publishers
from shared.messaging.consume import Consumer
from shared.messaging.envelope import Record
from shared.messaging.follow import Followers
from tests.clock import HandClock
from tests.conftest import MakeDatabase
from tests.operations.registration.conftest import workshop

Path = tuple[str | int, ...]
FOLLOWERS: dict[str, Followers] = {"catalogue": catalogue, "registration": registration}
WHOLE = {
    each.shape: json.loads(next(path for path in sample_files(each) if path.stem == "whole").read_bytes())
    for each in every_shape()
    if each.topic.inbound
}
"""The golden samples of what outside systems send."""

ODD: st.SearchStrategy[object] = st.sampled_from(
    [
        *("", " ", "\0", "a\0b", "\r\nBcc: all@example.org", "\u2028", "\ufffe", "😀" * 200, "x" * 10_000, "%00", "'"),
        *(0, -1, 2**31, 2**63, 10**30, 1.5, 1e308, True, None, [], {}, [None], {"": ""}, {"ca": "\0"}, {"a\0": 1}),
        *("0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "2027-02-30T00:00:00Z", "2027-03-10", 1e12),
        *("Europe/Nowhere", "../../etc/passwd", "America/New_York", "ES", "es", str(uuid4()), "a@b", "é@例え.jp"),
        *("https://user:pass@host:99999/", "javascript:alert(1)", "http://[::1"),
    ]
)


def places(value: object, path: Path = ()) -> Iterator[Path]:
    """Name everything in a document, from the whole to its leaves."""
    yield path
    within = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, inner in within:
        yield from places(inner, (*path, name))


def put(document: Any, path: Path, value: object) -> Any:  # noqa: ANN401 - JSON
    """Give a document with something else at a place."""
    if not path:
        return value
    changed = deepcopy(document)
    within = changed
    for name in path[:-1]:
        within = within[name]
    within[path[-1]] = value
    return changed


@st.composite
def said(draw: Callable[[st.SearchStrategy[Any]], Any]) -> dict[str, Any]:
    """Say what a golden sample says, but for one thing or two."""
    event = WHOLE[draw(st.sampled_from(sorted(WHOLE)))]
    data = event["data"]
    for _ in range(draw(st.integers(1, 2))):
        data = put(data, draw(st.sampled_from(list(places(data)))), draw(ODD))
    return {**event, "data": data, "id": str(uuid4()), "sequence": "1"}


@pytest.mark.parametrize("service", FOLLOWERS)
async def test_nonsense_from_outside_is_never_a_fault_of_ours(
    database: MakeDatabase, clock: HandClock, service: str
) -> None:
    store = await database(service)
    async with store.transaction(clock()) as tx:
        await publishers.add(tx.session, "demo-cms", tx.now)
        if service == "registration":
            await operations.keep_workshop(tx, workshop(publisher="demo-cms", external_id="enabling"), 1)
    (followed,) = (each for each in FOLLOWERS[service].subscriptions if each.inbound)
    consumer = Consumer(followed, store, clock)
    sent: list[dict[str, Any]] = []

    @settings(max_examples=150, deadline=None, database=None)
    @given(said())
    def collect(event: dict[str, Any]) -> None:
        sent.append(event)

    collect()
    headers = (("content-type", b"application/cloudevents+json"),)
    topic = f"inbound.{service}.demo-cms"
    records = [Record(topic, 0, at, None, json.dumps(each).encode(), headers) for at, each in enumerate(sent)]
    for record in records:
        await consumer.take([record])
    assert await _bugs(store) == []
    assert await _kept(store) == len(sent)


async def _bugs(store: Database) -> list[tuple[str, str]]:
    async with store.transaction(HandClock()()) as tx:
        rows = await tx.session.execute(
            text("SELECT detail, convert_from(value, 'UTF8') AS value FROM dead_letters WHERE reason = 'bug'")
        )
        return [(row.detail, row.value) for row in rows]


async def _kept(store: Database) -> int:
    async with store.transaction(HandClock()()) as tx:
        return int(await tx.session.scalar(text("SELECT count(*) FROM inbox")) or 0)
