"""The numbers by which a workshop's sessions are known."""

from collections.abc import Sequence


def numbered(given: Sequence[int | None]) -> list[int] | None:
    """Give each session its number, in the order in which they were stated; None where two claim the same number.

    A number that was given stays, for it is the session's identity; the others take the lowest that are free.
    """
    claimed = [number for number in given if number is not None]
    if len(set(claimed)) < len(claimed):
        return None
    free = (number for number in range(1, 2 * len(given) + 1) if number not in claimed)
    return [next(free) if number is None else number for number in given]
