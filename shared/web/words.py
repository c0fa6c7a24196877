"""The field's own words, whose codes the contracts fix, as people read them."""

from collections.abc import Mapping

from shared.web.i18n import N_, Translator

WORDS: Mapping[str, Mapping[str, str]] = {
    "kind": {
        "workshop": N_("Workshop"),
        "webinar": N_("Webinar"),
        "group_meeting": N_("Group meeting"),
        "training_module": N_("Training module"),
        "field_visit": N_("Field visit"),
        "information_day": N_("Information day"),
        "pitch_session": N_("Pitch session"),
    },
    "organisation": {
        "city": N_("City or town council"),
        "supramunicipal": N_("Supramunicipal body"),
        "company": N_("Company"),
        "sme": N_("Small or medium-sized enterprise"),
        "investor": N_("Investor"),
        "research_centre": N_("Research centre"),
        "other": N_("Another kind of organisation"),
    },
    "attendance": {
        "in_person": N_("In person"),
        "online": N_("Online"),
        "hybrid": N_("In person and online"),
    },
    "workshop": {
        "draft": N_("Draft"),
        "scheduled": N_("Scheduled"),
        "held": N_("Already held"),
        "cancelled": N_("Cancelled"),
    },
    "enrolment": {
        "pending_approval": N_("Waiting for approval"),
        "confirmed": N_("Confirmed"),
        "waitlisted": N_("On the waiting list"),
        "offered": N_("A seat is offered to you"),
        "offer_expired": N_("The offer has lapsed"),
        "withdrawn": N_("Withdrawn"),
        "declined": N_("Not accepted"),
        "cancelled": N_("Cancelled with the workshop"),
        "attended": N_("Attended"),
        "absent": N_("Did not attend"),
    },
    "language": {"ca": N_("Catalan"), "es": N_("Spanish"), "en": N_("English")},
}


def word(translator: Translator, family: str, code: str) -> str:
    """Say the `code` of a `family` (`kind`, `organisation`, `attendance`, `workshop`, `enrolment`, `language`).

    A code that this version does not know is said as it stands: what a newer writer adds does not break a page.
    """
    return translator.gettext(WORDS[family].get(code, code))


def choices(translator: Translator, family: str) -> list[tuple[str, str]]:
    """List a family as (code, words), for a form."""
    return [(code, translator.gettext(message)) for code, message in WORDS[family].items()]
