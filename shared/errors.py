"""What may go wrong by the caller's doing: kinds with stable slugs, which the web and the bus each map in one place."""

from collections.abc import Mapping, Sequence


class Problem(Exception):  # noqa: N818 - the word of RFC 9457
    """Something the caller asked for cannot be; says what is wrong, with what, and what to do.

    `slug` is stable and ends the problem's `type` (RFC 9457); `extra` holds members that machines may read.
    """

    def __init__(self, slug: str, detail: str, **extra: object) -> None:
        super().__init__(detail)
        self.slug = slug
        self.detail = detail
        self.extra = extra


class NotFound(Problem):
    """What is referred to is not known here; on the bus it may be known later, so the event waits."""


class Conflict(Problem):
    """Well-formed, but the state of things forbids it; on the bus an answer, not a fault."""


class Outdated(Conflict):
    """What was said is not newer than what is known; on the bus it is stale, and counted as such."""


class Forbidden(Problem):
    """Known, but not theirs to do."""


class Unauthorised(Problem):
    """Nobody says who asks."""


class Invalid(Problem):
    """The content is wrong; `fields` names each place with what is wrong there."""

    def __init__(
        self, detail: str, fields: Sequence[tuple[str, str]] = (), *, slug: str = "invalid", **extra: object
    ) -> None:
        super().__init__(slug, detail, **extra)
        self.fields = list(fields)


class Malformed(Problem):
    """It cannot be read, so that nothing can be said of its content."""


class Unavailable(Problem):
    """Something that we stand on does not answer; the same request may be sent again in a while."""


def wording(fault: Mapping[str, object]) -> str:
    """Say what a validation of pydantic's found wrong, without the words that it puts before a message of ours."""
    return str(fault["msg"]).removeprefix("Value error, ")
