"""Letters of every rule about workshops that were really run, and the paper they are written on."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from services.notifications.domain import CalendarChange, Rule, call_off, invite
from services.notifications.rendering.letter import Letter, Paper, Trouble, calendar_entries
from services.notifications.rendering.mail import SERVICE
from shared import web
from shared.events.base import Language
from shared.events.catalogue import Place, Session, WorkshopCancelled, WorkshopFact, WorkshopScheduled
from shared.settings import Office
from shared.web.i18n import Catalogues
from shared.web.tokens import Links

CATALOGUES = Catalogues.load(Path(web.__file__).parent, SERVICE)
WRITTEN = datetime(2027, 2, 1, 9, 20, tzinfo=UTC)
ENROLMENT = UUID("01920000-0000-7000-8000-000000000001")
PAPER = Paper(
    office=Office(
        name={
            "ca": "Oficina d'Europa i Estratègia Internacional",
            "es": "Oficina de Europa y Estrategia Internacional",
            "en": "Office of Europe and International Strategy",
        },
        address="o.europa.eint@diba.cat",
    ),
    mail_from="convoca@example.cat",
    public_url="https://convoca.example.cat",
    links=Links(["only for golden mails, never to sign anything"]),
)
MEETING = WorkshopScheduled(
    workshop_id=UUID("01920000-0000-7000-8000-000000000002"),
    slug="small-giants-first-meeting",
    state="scheduled",
    kind="group_meeting",
    title={
        "ca": "Small Giants: primera reunió",
        "es": "Small Giants: primera reunión",
        "en": "Small Giants: first meeting",
    },
    seats={"online": 40},
    sessions=(
        Session(
            starts_at=datetime(2027, 3, 10, 10, tzinfo=UTC),
            ends_at=datetime(2027, 3, 10, 11, tzinfo=UTC),
            timezone="Europe/Brussels",
            mode="online",
        ),
    ),
)
MEETING_BEFORE = (
    MEETING.sessions[0].model_copy(
        update={
            "starts_at": datetime(2027, 2, 17, 10, tzinfo=UTC),
            "ends_at": datetime(2027, 2, 17, 11, tzinfo=UTC),
        }
    ),
)
COPENHAGEN = Place(name="BLOX", address="Bryghuspladsen 8", city="Copenhagen", country="DK")
MODULE = WorkshopScheduled(
    workshop_id=UUID("01920000-0000-7000-8000-000000000003"),
    slug="enabling-stage",
    state="scheduled",
    kind="training_module",
    publisher="demo-cms",
    external_id="enabling",
    title={"ca": "Etapa d'habilitació", "es": "Etapa de habilitación", "en": "Enabling stage"},
    seats={"in_person": 30, "online": None},
    sessions=(
        Session(
            number=1,
            starts_at=datetime(2027, 4, 10, 7, tzinfo=UTC),
            ends_at=datetime(2027, 4, 10, 15, tzinfo=UTC),
            timezone="Europe/Copenhagen",
            mode="hybrid",
            place=COPENHAGEN,
        ),
        Session(
            number=2,
            starts_at=datetime(2027, 4, 11, 7, tzinfo=UTC),
            ends_at=datetime(2027, 4, 11, 15, tzinfo=UTC),
            timezone="Europe/Copenhagen",
            mode="in_person",
            place=COPENHAGEN,
        ),
    ),
)
LISBON = WorkshopCancelled(
    **MODULE.model_dump(exclude={"sessions", "state", "reason"}),
    state="cancelled",
    reason={"ca": "El ponent està malalt.", "es": "El ponente está enfermo.", "en": "The speaker is ill."},
    sessions=(
        Session(
            starts_at=datetime(2027, 4, 25, 8, tzinfo=UTC),
            ends_at=datetime(2027, 4, 25, 10, tzinfo=UTC),
            timezone="Europe/Lisbon",
            mode="in_person",
            place=Place(name="Pavilhão do Conhecimento", city="Lisboa", country="PT"),
        ),
    ),
)


def letter(rule: Rule, language: Language = "ca", workshop: WorkshopFact | None = MODULE) -> Letter:
    """Make a letter that says nothing yet but to whom, and of what."""
    return Letter(
        notice_id=UUID("01920000-0000-7000-8000-00000000000f"),
        rule=rule,
        name="Núria Camps",
        address="nuria@example.cat",
        language=language,
        written_at=WRITTEN,
        workshop=workshop,
        enrolment_id=ENROLMENT,
    )


def confirmed(language: Language) -> Letter:
    """Tell of a seat in person, over two days."""
    return replace(
        letter(Rule.CONFIRMED, language),
        enrolment_state="confirmed",
        calendar=invite({}, calendar_entries(MODULE, "in_person")),
    )


def promoted(language: Language) -> Letter:
    """Tell of a seat online, with its link."""
    return replace(
        letter(Rule.PROMOTED, language, MEETING),
        enrolment_state="confirmed",
        attendance="online",
        join_links={1: "https://meet.example.eu/small-giants"},
        calendar=invite({}, calendar_entries(MEETING, "online")),
    )


def pending(language: Language) -> Letter:
    """Tell of a request that staff decide."""
    return replace(letter(Rule.PENDING, language), enrolment_state="pending_approval")


def waiting(language: Language) -> Letter:
    """Tell the third in the queue."""
    return replace(letter(Rule.WAITING, language), enrolment_state="waitlisted", waitlist_position=3)


def declined(language: Language) -> Letter:
    """Tell of a refusal."""
    return replace(letter(Rule.DECLINED, language), enrolment_state="declined")


def withdrawn(language: Language) -> Letter:
    """Tell of a seat given up that stood in a calendar."""
    known = invite({}, calendar_entries(MEETING, "online")).known
    return replace(letter(Rule.WITHDRAWN, language, MEETING), enrolment_state="withdrawn", calendar=call_off(known))


def rescheduled(language: Language) -> Letter:
    """Tell of a meeting that was moved, with its calendar entry."""
    before = MEETING.model_copy(update={"sessions": MEETING_BEFORE})
    known = invite({}, calendar_entries(before, "online")).known
    return replace(
        letter(Rule.RESCHEDULED, language, MEETING),
        enrolment_state="confirmed",
        attendance="online",
        before=MEETING_BEFORE,
        calendar=invite(known, calendar_entries(MEETING, "online")),
    )


def rescheduled_for_who_waits(language: Language) -> Letter:
    """Tell the same to one in the queue."""
    return replace(rescheduled(language), enrolment_state="waitlisted", waitlist_position=1, calendar=CalendarChange())


def cancelled(language: Language) -> Letter:
    """Tell of a workshop called off, with the reason."""
    known = invite({}, calendar_entries(LISBON, "in_person")).known
    return replace(letter(Rule.CANCELLED, language, LISBON), enrolment_state="cancelled", calendar=call_off(known))


def new_enrolments(language: Language) -> Letter:
    """Tell how many enrolled in a quarter of an hour."""
    return _to_staff(
        replace(letter(Rule.NEW_ENROLMENTS, language), count=12, since=datetime(2027, 2, 1, 9, 0, tzinfo=UTC))
    )


def one_new_enrolment(language: Language) -> Letter:
    """Tell the same of a single one."""
    return replace(new_enrolments(language), count=1)


def workshop_full(language: Language) -> Letter:
    """Tell of the last seat taken."""
    return _to_staff(replace(letter(Rule.WORKSHOP_FULL, language), full=("in_person",)))


def outside_workshop(language: Language) -> Letter:
    """Tell of a workshop that another system published."""
    return _to_staff(letter(Rule.OUTSIDE_WORKSHOP, language))


def dead_letters(language: Language) -> Letter:
    """Tell of records that could not be taken."""
    trouble = Trouble("registration", "invalid", "inbound.registration.demo-crm", "/publishers/demo-crm")
    return _to_staff(replace(letter(Rule.DEAD_LETTERS, language, None), count=3, trouble=trouble))


def _to_staff(plain: Letter) -> Letter:
    return replace(plain, name="Laia Ferrer", address="laia@example.cat", enrolment_id=None)


SAMPLES: Mapping[str, Callable[[Language], Letter]] = {
    "participant.confirmed": confirmed,
    "participant.promoted": promoted,
    "participant.pending": pending,
    "participant.waiting": waiting,
    "participant.declined": declined,
    "participant.withdrawn": withdrawn,
    "participant.rescheduled": rescheduled,
    "participant.rescheduled-waiting": rescheduled_for_who_waits,
    "participant.cancelled": cancelled,
    "staff.new-enrolments": new_enrolments,
    "staff.new-enrolments-one": one_new_enrolment,
    "staff.workshop-full": workshop_full,
    "staff.outside-workshop": outside_workshop,
    "staff.dead-letters": dead_letters,
}
"""By the name of their golden file."""
