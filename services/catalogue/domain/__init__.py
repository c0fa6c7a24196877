"""The rules of what is on offer: plain data in, a decision out; the standard library and nothing else."""

from services.catalogue.domain.checks import Fault, faults_of_dates, faults_of_enrolment, faults_of_seats
from services.catalogue.domain.life import Change, Face, Refusal, State, Step, change_between, refusal
from services.catalogue.domain.naming import fold, is_slug, next_slug, slugify, words_of
from services.catalogue.domain.opening import Enrolment, enrolment_at
from services.catalogue.domain.periods import Bound, period
from services.catalogue.domain.redating import LocalTime, moved, on_the_clock, weeks_ahead
from services.catalogue.domain.sessions import numbered

__all__ = [
    "Bound",
    "Change",
    "Enrolment",
    "Face",
    "Fault",
    "LocalTime",
    "Refusal",
    "State",
    "Step",
    "change_between",
    "enrolment_at",
    "faults_of_dates",
    "faults_of_enrolment",
    "faults_of_seats",
    "fold",
    "is_slug",
    "moved",
    "next_slug",
    "numbered",
    "on_the_clock",
    "period",
    "refusal",
    "slugify",
    "weeks_ahead",
    "words_of",
]
