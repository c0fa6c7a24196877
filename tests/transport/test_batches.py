"""Where the broker cuts a stream into batches says nothing about what becomes of it."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

import pytest_asyncio
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from shared.database import Transaction
from shared.errors import Conflict, NotFound
from shared.events.registration import OrganisationRegistered
from shared.messaging.consume import Consumer
from shared.messaging.envelope import Record
from shared.messaging.follow import Delivery, Followers, newer
from tests.transport.conftest import Rig, record_of, with_headers

KEYS = [UUID(int=number) for number in range(1, 4)]
CHANCES = settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    phases=(Phase.explicit, Phase.reuse, Phase.generate),  # a stream is short enough to be read as it was drawn
)
KINDS = ("good", "good", "good", "unreadable", "invalid", "not-yet", "refused", "bug")


@dataclass(frozen=True)
class Drawn:
    """A record of a kind, of one of a few keys, with the version that it tells of; or the same one as one before."""

    kind: str
    key: int
    sequence: int
    again: int | None = None


records = st.lists(
    st.builds(
        Drawn,
        st.sampled_from(KINDS),
        st.integers(0, len(KEYS) - 1),
        st.integers(1, 4),
        st.one_of(st.none(), st.none(), st.none(), st.integers(0, 9)),
    ),
    max_size=10,
)


def written(drawn: Sequence[Drawn]) -> list[Record]:
    """Write them down as they lie on the stream."""
    found: list[Record] = []
    for place, each in enumerate(drawn):
        if each.again is not None and each.again < place:
            found.append(replace(found[each.again], offset=place))
            continue
        record = replace(record_of(f"{each.kind} {place}", KEYS[each.key], each.sequence), offset=place)
        if each.kind == "unreadable":
            record = with_headers(record, ce_id=None)
        elif each.kind == "invalid":
            record = replace(record, value=b'{"name": 1}')
        found.append(record)
    return found


async def keep(deliveries: Sequence[Delivery[OrganisationRegistered]], tx: Transaction) -> None:
    """Have an effect for what is newer than what is kept; what is said of a name follows from the name."""
    rows = await tx.session.execute(text("SELECT name, max(sequence) AS sequence FROM versions GROUP BY name"))
    known = {UUID(row.name): row.sequence for row in rows}
    able = []
    for each in deliveries:
        if each.event.name.startswith("not-yet"):
            each.refuse(NotFound("unknown", "It is not known here."))
        elif each.event.name.startswith("refused"):
            each.refuse(Conflict("closed", "It is closed."))
        else:
            able.append(each)
    about = {id(each.event): UUID(each.envelope.subject or "") for each in able}
    for each in newer(able, known, lambda event: about[id(event)]):
        await tx.session.execute(text("INSERT INTO effects (name) VALUES (:name)"), {"name": each.event.name})
        await tx.session.execute(
            text("INSERT INTO versions (name, sequence) VALUES (:name, :sequence)"),
            {"name": str(about[id(each.event)]), "sequence": each.envelope.sequence},
        )
        if each.event.name.startswith("bug"):
            raise KeyError


@pytest_asyncio.fixture
async def keeper(rig: Rig) -> Rig:
    """Give a rig whose handler takes many at a time and knows what is newer."""
    async with rig.database.transaction(rig.clock()) as tx:
        await tx.session.execute(text("CREATE TABLE versions (name text, sequence bigint)"))
    follow = Followers("registration")
    follow.batch(OrganisationRegistered.topic, events=OrganisationRegistered)(keep)
    rig.consumer = Consumer(follow.subscriptions[0], rig.database, rig.clock)
    return rig


async def outcome(rig: Rig, batches: Iterator[Sequence[Record]]) -> dict[str, object]:
    """Take batches on an empty database; give all that came of them."""
    async with rig.database.transaction(rig.clock()) as tx:
        await tx.session.execute(text("TRUNCATE inbox, parked, dead_letters, outbox, effects, versions"))
    for batch in batches:
        await rig.consumer.take(batch)
    letters = await rig.dead_letters()
    return {
        "effects": await rig.names(),
        "inbox": [tuple(row) for row in await rig.rows("SELECT source, id, outcome, detail FROM inbox ORDER BY 1, 2")],
        "waiting": [tuple(row) for row in await rig.rows('SELECT "offset", reason FROM parked ORDER BY id')],
        "dead": [(letter.key, letter.value, letter.headers) for letter in letters],
    }


def cut(records: list[Record], places: set[int]) -> Iterator[list[Record]]:
    """Cut a stream before each of `places`."""
    borders = sorted({0, *(place for place in places if place < len(records)), len(records)})
    return (records[begin:end] for begin, end in itertools.pairwise(borders))


@CHANCES
@given(drawn=records, places=st.sets(st.integers(1, 9), max_size=3))
async def test_the_outcome_is_the_same_wherever_a_stream_is_cut(
    keeper: Rig, drawn: list[Drawn], places: set[int]
) -> None:
    lying = written(drawn)
    one_by_one = await outcome(keeper, cut(lying, set(range(10))))
    assert await outcome(keeper, cut(lying, places)) == one_by_one
