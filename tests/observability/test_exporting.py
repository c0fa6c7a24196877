"""Spans reach a collector; and one that is away, or hangs, holds nobody up."""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
from prometheus_client import REGISTRY

from shared.messaging import seen
from shared.messaging.envelope import Envelope
from shared.observability import Origin, stemming, tracing
from shared.observability.exporting import Telemetry
from tests.collector import Collector, collecting
from tests.waiting import eventually

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
UNSAMPLED = TRACEPARENT[:-1] + "0"


@pytest.fixture
def collector() -> Iterator[Collector]:
    """Give a collector that this process's spans go to."""
    with collecting() as one:
        telemetry = Telemetry(one.url, "test")
        tracing.record_with(telemetry)
        yield one
        tracing.record_with(None)
        telemetry.close()


def envelope(number: int, traceparent: str | None) -> Envelope:
    return Envelope(str(number), "/convoca/test", "workshop.updated", traceparent=traceparent)


async def all_of(collector: Collector, number: int) -> None:
    async def there() -> bool:
        return len(collector.spans) >= number

    await eventually(there, f"{number} spans")


async def test_a_span_is_part_of_what_it_comes_from(collector: Collector) -> None:
    with stemming(Origin("c", TRACEPARENT)), tracing.span("outer") as outer, tracing.part("inner"):
        pass
    await all_of(collector, 2)
    inner, out = sorted(collector.spans, key=lambda each: each.name)
    assert (out.trace_id, out.parent) == tuple(TRACEPARENT.split("-")[1:3])
    assert (inner.trace_id, inner.parent) == (out.trace_id, out.span_id)
    assert outer.traceparent == f"00-{out.trace_id}-{out.span_id}-01"


async def test_a_span_says_the_class_of_what_went_wrong_and_not_its_text(collector: Collector) -> None:
    with pytest.raises(ValueError, match="nuria"), tracing.span("failing"):
        raise ValueError("nuria@example.cat")
    await all_of(collector, 1)
    assert collector.spans[0].failed
    assert "ValueError" in collector.spans[0].attributes["error.type"]
    assert b"nuria" not in b"".join(collector.bodies)


async def test_of_a_batch_each_event_has_a_span_in_its_own_trace_and_a_link_to_what_they_share(
    collector: Collector,
) -> None:
    other = TRACEPARENT.replace("0af7", "1af7")
    with seen.batch("test.batch", [envelope(1, TRACEPARENT), envelope(2, other), None]) as [one, two, none]:
        pass
    await all_of(collector, 3)
    (shared,) = [each for each in collector.spans if each.name == "process test.batch"]
    own = {each.trace_id: each for each in collector.spans if each is not shared}
    assert own.keys() == shared.links == {TRACEPARENT.split("-")[1], other.split("-")[1]}
    assert {each.links for each in own.values()} == {frozenset({shared.trace_id})}
    assert none is None
    for each, given in ((one, TRACEPARENT), (two, other)):
        assert each
        assert each.traceparent
        assert each.traceparent != given
        assert each.traceparent.split("-")[1] == given.split("-")[1]


async def test_what_its_caller_does_not_record_is_not_recorded_and_passed_on_so(collector: Collector) -> None:
    with stemming(Origin(None, UNSAMPLED)), tracing.span("unseen") as unseen:
        assert unseen.traceparent
        assert unseen.traceparent.startswith(UNSAMPLED[:35])
        assert unseen.traceparent.endswith("-00")
    with tracing.span("seen"):
        pass
    await all_of(collector, 1)
    assert [each.name for each in collector.spans] == ["seen"]


def test_without_a_collector_what_came_in_is_passed_on() -> None:
    with stemming(Origin("c", TRACEPARENT)), tracing.span("outer") as outer:
        assert outer.traceparent == TRACEPARENT
    batch = [envelope(1, TRACEPARENT), envelope(2, None)]
    with seen.batch("test.batch", batch) as passed_on:
        assert passed_on == batch
    with tracing.span("of nothing") as nothing:
        assert nothing.traceparent is None


def lost() -> float:
    return REGISTRY.get_sample_value("convoca_spans_total", {"outcome": "lost"}) or 0.0


@asynccontextmanager
async def sending_to(listener: socket.socket) -> AsyncIterator[Telemetry]:
    """Send spans where no collector is; at the end its threads end too."""
    telemetry = Telemetry(f"http://127.0.0.1:{listener.getsockname()[1]}", "test")
    tracing.record_with(telemetry)
    try:
        yield telemetry
    finally:
        tracing.record_with(None)
        await asyncio.to_thread(telemetry.close)
        listener.close()

    async def ended() -> bool:
        return not [each for each in threading.enumerate() if each.name.startswith(("Otel", "spans-"))]

    await eventually(ended, "the threads to end")


async def test_a_collector_that_is_away_holds_nobody_up_and_what_it_missed_is_counted() -> None:
    before = lost()
    async with sending_to(bound()):
        with tracing.span("lost"):
            pass

        async def counted() -> bool:
            return lost() > before

        await eventually(counted, "the span to be given up")


async def test_an_end_does_not_wait_for_a_collector_that_hangs() -> None:
    hanging = bound()
    hanging.listen()  # and never accepts
    async with sending_to(hanging) as telemetry:
        for _ in range(3000):  # more than is kept
            with tracing.span("lost"):
                pass
        async with asyncio.timeout(30):
            await asyncio.to_thread(telemetry.close)
        assert hanging.fileno() >= 0


def bound() -> socket.socket:
    taken = socket.socket()
    taken.bind(("127.0.0.1", 0))
    return taken
