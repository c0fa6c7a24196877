"""Where what happens comes from: the ids by which it is followed, from a request to the mail that it leads to."""

import re
from contextlib import AbstractContextManager
from contextvars import Context, ContextVar, Token, copy_context
from dataclasses import dataclass

_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_VERSION = "00"


@dataclass(frozen=True, slots=True)
class Origin:
    """The request or event that something follows from; `traceparent` is a valid one (W3C Trace Context) or None."""

    correlation_id: str | None = None
    traceparent: str | None = None

    @property
    def trace_id(self) -> str | None:
        """Give the id of the trace, which all that follows from one request shares."""
        return self.traceparent and self.traceparent.split("-")[1]


NOWHERE = Origin()
_origin: ContextVar[Origin] = ContextVar("origin", default=NOWHERE)


def origin() -> Origin:
    """Tell where what happens now comes from."""
    return _origin.get()


class _Stemming:
    """A block with an origin of its own; a class, for each request enters one and a generator costs thrice as much."""

    __slots__ = ("_before", "_source")

    def __init__(self, source: Origin) -> None:
        self._source = source

    def __enter__(self) -> None:
        self._before: Token[Origin] = _origin.set(self._source)

    def __exit__(self, *_raised: object) -> None:
        _origin.reset(self._before)


def stemming(source: Origin) -> AbstractContextManager[None]:
    """Let what happens inside come from `source`."""
    return _Stemming(source)


def apart() -> Context:
    """Give a context for work that many share: it comes from none of them."""
    context = copy_context()
    context.run(_origin.set, NOWHERE)
    return context


def valid_traceparent(given: str | None) -> str | None:
    """Read a traceparent (W3C Trace Context 3.2) as version 00 writes it; None where it is none.

    Later versions may have more behind the four fields, and the four are read.
    """
    if not given or not (read := _TRACEPARENT.match(given)):
        return None
    rest = given[read.end() :]
    if rest and (given.startswith(_VERSION) or not rest.startswith("-")):
        return None
    return _VERSION + read[0][2:]
