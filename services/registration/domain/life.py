"""The life of an enrolment: which state may follow which."""

from typing import Literal

State = Literal[
    "pending_approval", "confirmed", "waitlisted", "offered", "offer_expired",
    "declined", "withdrawn", "cancelled", "attended", "absent",
]  # fmt: skip

LIVE: frozenset[State] = frozenset({"pending_approval", "confirmed", "waitlisted", "offered"})
"""Those who still may take part; a person has one of these per workshop at the most."""

HOLDING: frozenset[State] = frozenset({"confirmed", "offered"})
"""Those who hold a seat."""

_ENDS: frozenset[State] = frozenset({"withdrawn", "declined", "cancelled"})
_NEXT: dict[State, frozenset[State]] = {
    "pending_approval": _ENDS | {"confirmed", "waitlisted"},
    "waitlisted": _ENDS | {"confirmed", "offered"},
    "offered": _ENDS | {"confirmed", "offer_expired"},
    "confirmed": _ENDS | {"attended", "absent"},
}


def may_become(state: State, wanted: State) -> bool:
    """Tell whether an enrolment in `state` may go over to `wanted`; what has ended stays as it is."""
    return wanted in _NEXT.get(state, frozenset())
