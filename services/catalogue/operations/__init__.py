"""What can be done with workshops: load, decide, save, tell."""

from services.catalogue.operations.authoring import cancel, close, create, edit, hold_past, reschedule, schedule
from services.catalogue.operations.outside import call_off_outside, take_outside
from services.catalogue.operations.programme import state_group, state_programme, state_workshop
from services.catalogue.operations.reading import Surroundings, search, surroundings, workshop
from services.catalogue.operations.stating import Statement, public

__all__ = [
    "Statement",
    "Surroundings",
    "call_off_outside",
    "cancel",
    "close",
    "create",
    "edit",
    "hold_past",
    "public",
    "reschedule",
    "schedule",
    "search",
    "state_group",
    "state_programme",
    "state_workshop",
    "surroundings",
    "take_outside",
    "workshop",
]
