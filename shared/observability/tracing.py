"""Traces: one from a request or an event to all that follows from it, across services.

Without a recorder nothing is recorded, at next to no cost, and what came in as `traceparent` is still passed on.
A span never has an exception's text, a path, a statement or a value in it: any of them may be personal.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Literal, Protocol

from shared.observability.origin import origin, stemming

Kind = Literal["internal", "server", "client", "producer", "consumer"]
Value = str | int | float | bool


class Span(Protocol):
    """Something that goes on; what follows from it carries its `traceparent`."""

    @property
    def traceparent(self) -> str | None:
        """Give what is passed on."""
        ...

    def note(self, attributes: dict[str, Value], name: str | None = None) -> None:
        """Say more of it, or call it otherwise."""
        ...

    def end(self, error: str | None = None) -> None:
        """Say that it is over; `error` is the class or the slug of what went wrong."""
        ...


class Recorder(Protocol):
    """Where spans are recorded."""

    def start(
        self,
        name: str,
        *,
        kind: Kind,
        parent: str | None,
        links: Iterable[str] = (),
        attributes: dict[str, Value] | None = None,
        at: int | None = None,
    ) -> Span:
        """Begin a span, now or `at` (nanoseconds since 1970)."""
        ...


class _Recording:
    """Whether, and by whom, spans are recorded in this process."""

    recorder: Recorder | None = None


class _Unrecorded:
    """What stands for a span where none is recorded."""

    def __init__(self, traceparent: str | None) -> None:
        self.traceparent = traceparent

    def note(self, attributes: dict[str, Value], name: str | None = None) -> None:
        """Do nothing."""

    def end(self, error: str | None = None) -> None:
        """Do nothing."""


def record_with(recorder: Recorder | None) -> None:
    """Record the spans of this process from now on, or no longer."""
    _Recording.recorder = recorder


def recorder() -> Recorder | None:
    """Give who records; None where nobody does."""
    return _Recording.recorder


@contextmanager
def span(
    name: str,
    attributes: dict[str, Value] | None = None,
    *,
    kind: Kind = "internal",
    links: Iterable[str] = (),
) -> Iterator[Span]:
    """Record what goes on inside, as part of where it comes from; what happens inside comes from this span."""
    source, recording = origin(), _Recording.recorder
    if recording is None:
        yield _Unrecorded(source.traceparent)
        return
    begun = recording.start(name, kind=kind, parent=source.traceparent, links=links, attributes=attributes)
    error: str | None = None
    try:
        with stemming(replace(source, traceparent=begun.traceparent)):
            yield begun
    except BaseException as raised:
        error = type(raised).__name__
        raise
    finally:
        begun.end(error)


@contextmanager
def part(name: str) -> Iterator[None]:
    """Record a part of what goes on already; nothing where that is not recorded. Nothing inside comes from it."""
    source, recording = origin(), _Recording.recorder
    if recording is None or source.traceparent is None:
        yield
        return
    begun = recording.start(name, kind="client", parent=source.traceparent)
    error: str | None = None
    try:
        yield
    except BaseException as raised:
        error = type(raised).__name__
        raise
    finally:
        begun.end(error)
