"""What is seen of messages from outside: how many and how long, and in each event's trace what was done with it."""

import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

import asyncpg
import structlog

from shared.messaging.envelope import Envelope, Headers, Record, unpack_headers
from shared.observability import BATCH_EVENTS, BATCH_SECONDS, Origin, stemming, tracing, valid_traceparent

log = structlog.get_logger()
Envelopes = Sequence[Envelope | None]


@contextmanager
def batch(consumer: str, envelopes: Envelopes) -> Iterator[Envelopes]:
    """Measure what is taken in one transaction; gives the envelopes with what is to be passed on as their trace."""
    began = time.perf_counter()
    try:
        with taking(consumer, envelopes) as traced:
            yield traced
    finally:
        BATCH_EVENTS.labels(consumer).observe(len(envelopes))
        BATCH_SECONDS.labels(consumer).observe(time.perf_counter() - began)


@contextmanager
def taking(consumer: str, envelopes: Envelopes) -> Iterator[Envelopes]:
    """Record that events are taken: one in its own trace; of many each in its own, and what they share in another."""
    if len(envelopes) == 1:
        with _alone(consumer, envelopes[0]) as traced:
            yield [traced]
    elif recorder := tracing.recorder():
        with _together(recorder, consumer, envelopes) as all_traced:
            yield all_traced
    else:
        yield envelopes


def sent(rows: "Sequence[asyncpg.Record]", arrived: Collection[int], began: int) -> None:
    """Record messages that were sent, each in the trace that it carries; `began` is in nanoseconds since 1970."""
    if (recorder := tracing.recorder()) is None:
        return
    there = set(arrived)
    for row in rows:
        if row["id"] in there and (traceparent := traceparent_of(unpack_headers(row["headers"]))):
            kafka = {"messaging.system": "kafka", "messaging.destination.name": row["topic"]}
            name = f"send {row['topic']}"
            recorder.start(name, kind="producer", parent=traceparent, attributes=kafka, at=began).end()


def tell(what: str, consumer: str, record: Record, envelope: Envelope | None, **more: object) -> None:
    """Log what became of a record that did not have its effect, by which it can be found and nothing else."""
    with stemming(_origin(envelope)):
        place = {"topic": record.topic, "partition": record.partition, "offset": record.offset}
        log.info(what, consumer=consumer, **more, **place)


def telling(what: str, consumer: str, record: Record, envelope: Envelope | None, **more: object) -> "partial[None]":
    """Give what does so later, when it is true."""
    return partial(tell, what, consumer, record, envelope, **more)


def traceparent_of(headers: Headers) -> str | None:
    """Read the trace that a record carries; None where it carries none, or nothing that is one."""
    given = next((value for name, value in headers if name.lower() == "traceparent" and value), b"")
    return valid_traceparent(given.decode("latin-1"))


@contextmanager
def _alone(consumer: str, envelope: Envelope | None) -> Iterator[Envelope | None]:
    with stemming(_origin(envelope)):
        if envelope is None or tracing.recorder() is None:
            yield envelope
            return
        with tracing.span(f"process {envelope.type}", _attributes(consumer, envelope), kind="consumer") as own:
            yield replace(envelope, traceparent=own.traceparent)


@contextmanager
def _together(recorder: tracing.Recorder, consumer: str, envelopes: Envelopes) -> Iterator[Envelopes]:
    links = [each.traceparent for each in envelopes if each and each.traceparent]
    about: dict[str, tracing.Value] = {
        "messaging.system": "kafka",
        "messaging.destination.subscription.name": consumer,
        "messaging.batch.message_count": len(envelopes),
    }
    with tracing.span(f"process {consumer}", about, kind="consumer", links=links) as shared:
        link = [shared.traceparent] if shared.traceparent else []
        own = [
            recorder.start(
                f"process {each.type}",
                kind="consumer",
                parent=each.traceparent,
                links=link,
                attributes=_attributes(consumer, each),
            )
            if each
            else None
            for each in envelopes
        ]
        error: str | None = None
        try:
            yield [
                replace(each, traceparent=its.traceparent) if each and its else each
                for each, its in zip(envelopes, own, strict=True)
            ]
        except BaseException as raised:
            error = type(raised).__name__
            raise
        finally:
            for its in own:
                if its:
                    its.end(error)


def _attributes(consumer: str, envelope: Envelope) -> dict[str, tracing.Value]:
    return {
        "messaging.system": "kafka",
        "messaging.destination.subscription.name": consumer,
        "cloudevents.event_type": envelope.type,
        "cloudevents.event_id": envelope.id,
    }


def _origin(envelope: Envelope | None) -> Origin:
    return Origin(envelope.correlation_id or envelope.id, envelope.traceparent) if envelope else Origin()
