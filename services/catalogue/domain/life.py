"""A workshop's life: draft, scheduled, changed any number of times, then held or cancelled."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

State = Literal["draft", "scheduled", "held", "cancelled"]
Step = Literal["schedule", "edit", "reschedule", "close", "cancel", "hold"]
Change = Literal["updated", "rescheduled"]

_FROM: dict[Step, frozenset[State]] = {
    "schedule": frozenset({"draft"}),
    "edit": frozenset({"draft", "scheduled"}),
    "reschedule": frozenset({"scheduled"}),
    "close": frozenset({"scheduled"}),
    "cancel": frozenset({"scheduled"}),
    "hold": frozenset({"scheduled"}),
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a step is not taken: a stable slug, and a sentence for a person."""

    slug: str
    detail: str


_BECAUSE: dict[State, Refusal] = {
    "draft": Refusal("not-scheduled", "The workshop is a draft; schedule it first."),
    "scheduled": Refusal("already-scheduled", "The workshop is scheduled already."),
    "held": Refusal("held", "The workshop has taken place; nothing of it can be changed any more."),
    "cancelled": Refusal("cancelled", "The workshop is cancelled, and stays so; make a new one instead."),
}


def refusal(state: State, step: Step) -> Refusal | None:
    """Say why `step` cannot be taken from `state`, or None when it can."""
    return None if state in _FROM[step] else _BECAUSE[state]


@dataclass(frozen=True, slots=True)
class Face:
    """What others see of a workshop: by session number its start and end, and all the rest, to be compared only."""

    dates: dict[int, tuple[datetime, datetime]]
    rest: object


def change_between(before: Face, after: Face) -> Change | None:
    """Name what happened to a workshop that is on offer; None where nothing did.

    Dates that moved are a reschedule whatever else changed with them: each fact carries the whole state.
    """
    if before.dates != after.dates:
        return "rescheduled"
    return "updated" if before.rest != after.rest else None
