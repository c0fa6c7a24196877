"""Traces: one from a request or an event to all that follows from it, across services.

Without a recorder nothing is recorded, at next to no cost, and what came in as `traceparent` is still passed on.
A span never has an exception's text, a path, a statement or a value in it: any of them may be personal.
"""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
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

    __slots__ = ("traceparent",)

    def __init__(self, traceparent: str | None) -> None:
        self.traceparent = traceparent

    def __enter__(self) -> Span:
        return self

    def __exit__(self, *_raised: object) -> None:
        """Do nothing."""

    def note(self, attributes: dict[str, Value], name: str | None = None) -> None:
        """Do nothing."""

    def end(self, error: str | None = None) -> None:
        """Do nothing."""


_NOTHING = _Unrecorded(None)


def record_with(recorder: Recorder | None) -> None:
    """Record the spans of this process from now on, or no longer."""
    _Recording.recorder = recorder


def recorder() -> Recorder | None:
    """Give who records; None where nobody does."""
    return _Recording.recorder


def span(
    name: str,
    attributes: dict[str, Value] | None = None,
    *,
    kind: Kind = "internal",
    links: Iterable[str] = (),
) -> AbstractContextManager[Span]:
    """Record what goes on inside, as part of where it comes from; what happens inside comes from this span."""
    if (recording := _Recording.recorder) is None:
        return _Unrecorded(origin().traceparent)
    return _recorded(recording, name, attributes, kind, links)


def part(name: str) -> AbstractContextManager[object]:
    """Record a part of what goes on already; nothing where that is not recorded. Nothing inside comes from it."""
    recording = _Recording.recorder
    if recording is None or (parent := origin().traceparent) is None:
        return _NOTHING
    return _recorded_part(recording, name, parent)


@contextmanager
def _recorded(
    recording: Recorder, name: str, attributes: dict[str, Value] | None, kind: Kind, links: Iterable[str]
) -> Iterator[Span]:
    source = origin()
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
def _recorded_part(recording: Recorder, name: str, parent: str) -> Iterator[None]:
    begun = recording.start(name, kind="client", parent=parent)
    error: str | None = None
    try:
        yield
    except BaseException as raised:
        error = type(raised).__name__
        raise
    finally:
        begun.end(error)
