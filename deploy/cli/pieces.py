"""Lists that a verb shows piece by piece: the options that ask for a piece, and what reads it."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Protocol, TypeVar

import typer

PIECE = 100
LONGEST_PIECE = 1000
After = Annotated[int, typer.Option("--cursor", metavar="ID", min=0, help="Only those after this one.")]
Limit = Annotated[int, typer.Option("--limit", metavar="N", min=1, max=LONGEST_PIECE, help="At most so many.")]
Every = Annotated[bool, typer.Option("--all", help="Page after page, until the end.")]


class Numbered(Protocol):
    """What a list is made of: each has a number, and they come in that order."""

    @property
    def id(self) -> int:
        """Its number."""
        ...


N = TypeVar("N", bound=Numbered)


async def read(
    page: Callable[[int, int], Awaitable[list[N]]], after: int, limit: int, *, every: bool
) -> tuple[list[N], int | None]:
    """Read the page after a number, or all of them to the end; gives what there is and where more begins, if there is.

    `page` gives those after a number, up to a limit.
    """
    found: list[N] = []
    while True:
        piece = await page(after, limit + 1)
        found += piece[:limit]
        if len(piece) <= limit:
            return found, None
        after = found[-1].id
        if not every:
            return found, after


def more(following: int | None) -> str:
    """Say to people how to see more, if there is more."""
    return f"; more with --cursor {following}" if following is not None else ""
