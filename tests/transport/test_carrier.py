"""What is sent together and what waits for what, against a broker made by hand that fails as it is told."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import pytest
from aiokafka.errors import MessageSizeTooLargeError, RequestTimedOutError, UnknownTopicOrPartitionError

from shared.messaging.carrier import Carrier, Sent
from shared.messaging.envelope import pack_headers
from shared.settings import KafkaSettings

MOST_IN_A_BATCH = 3
NOWHERE = KafkaSettings(kafka_servers="127.0.0.1:1")


class Batch(list[bytes]):
    """Takes a few messages."""

    def append(self, *, value: bytes, **_named: object) -> object:  # type: ignore[override]
        """Take a message, or answer None."""
        if len(self) == MOST_IN_A_BATCH:
            return None
        super().append(value)
        return True

    def size(self) -> int:
        """Give the bytes."""
        return sum(map(len, self))


@dataclass
class Broker:
    """Answers as a producer does; a batch that holds a message of `faults` fails so, or never arrives where it is None.

    The topic `absent` is not to be had.
    """

    faults: dict[bytes, Exception | None] = field(default_factory=dict)
    arrived: list[bytes] = field(default_factory=list)
    create_batch = Batch

    async def partitions_for(self, topic: str) -> set[int]:
        """Give a topic's partitions."""
        if topic == "absent":
            raise UnknownTopicOrPartitionError(topic)
        return {0, 1, 2, 3}

    async def send_batch(self, batch: Batch, *_place: object, **_named: object) -> "asyncio.Future[None]":
        """Take a batch whole, or not at all."""
        arrival: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        fault = next((self.faults[each] for each in batch if each in self.faults), False)
        if isinstance(fault, Exception):
            arrival.set_exception(fault)
        elif fault is False:
            self.arrived += batch
            arrival.set_result(None)
        return arrival


class Rigged(Carrier):
    """Carries to a broker made by hand."""

    def __init__(self, broker: Broker) -> None:
        super().__init__(NOWHERE, "registration", seconds=0.5)
        self.broker = broker

    async def connected(self) -> Any:  # noqa: ANN401 - it stands in for a type that is not ours
        """Give the broker."""
        return self.broker


async def carry(broker: Broker, *values: bytes, topic: str = "here") -> Sent:
    """Send messages known by their place, each with its first letter as its key; an empty one is of topic `absent`."""
    rows = [
        {
            "id": place,
            "topic": topic if value else "absent",
            "key": value[:1],
            "headers": pack_headers(()),
            "payload": value,
        }
        for place, value in enumerate(values)
    ]
    return await Rigged(broker).carry(as_rows(rows))


def as_rows(rows: list[dict[str, Any]]) -> list[asyncpg.Record]:
    return rows  # type: ignore[return-value] # a row of the database is read by name, as these are


async def test_all_of_a_partition_arrive_in_their_order() -> None:
    broker, values = Broker(), [b"a%d" % number for number in range(8)]
    sent = await carry(broker, *values)
    assert broker.arrived == values
    assert sent == Sent(arrived=list(range(8)))


async def test_nothing_overtakes_what_has_failed_and_other_partitions_go_on() -> None:
    broker = Broker(faults={b"a3": RequestTimedOutError()})
    sent = await carry(broker, *(b"a%d" % number for number in range(9)), b"c0")
    assert [each for each in broker.arrived if each != b"c0"] == [b"a0", b"a1", b"a2"]
    assert sorted(sent.arrived) == [0, 1, 2, 9]
    assert [type(each) for each in sent.failures] == [RequestTimedOutError]
    assert sent.refused == {}


async def test_of_a_batch_that_is_refused_only_the_one_at_fault_is_and_its_key_is_held_back() -> None:
    # The keys a and m share a partition here.
    broker = Broker(faults={b"a1": MessageSizeTooLargeError()})
    sent = await carry(broker, b"a0", b"a1", b"m0", b"a2", b"m1", b"a3", b"m2")
    assert [each for each in broker.arrived if each.startswith(b"a")] == [b"a0"]
    assert [each for each in broker.arrived if each.startswith(b"m")] == [b"m0", b"m1", b"m2"]
    assert sent.refused == {1: "MessageSizeTooLargeError"}
    assert sorted(sent.arrived) == [0, 2, 4, 6]
    assert sent.failures == []


async def test_what_never_arrives_is_waited_for_within_a_limit_and_what_did_arrive_counts() -> None:
    broker = Broker(faults={b"a0": None})
    sent = await carry(broker, b"a0", b"a1", b"c0")
    assert sent.arrived == [2]
    assert [type(each) for each in sent.failures] == [TimeoutError]


async def test_a_topic_that_is_not_there_holds_back_only_its_own() -> None:
    sent = await carry(Broker(), b"", b"a0", b"", b"b0")
    assert sorted(sent.arrived) == [1, 3]
    assert sent.absent == {"absent"}
    assert sent.failures == []


@pytest.mark.parametrize("topic", ["no name", "x" * 250, "ça"])
async def test_a_topic_that_no_broker_can_have_is_refused_for_good(topic: str) -> None:
    sent = await carry(Broker(), b"a0", topic=topic)
    assert sent == Sent(refused={0: "InvalidTopicError"})
