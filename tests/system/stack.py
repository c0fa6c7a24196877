"""The whole system as a test meets it: a front door, a bus, a mailbox, and a command."""

import asyncio
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import httpx
from icalendar import Calendar, Event
from pydantic import AfterValidator, BaseModel, ConfigDict

from tests.collector import Collector
from tests.deploy.running import CONVOCA, surroundings
from tests.system.people import Person, request
from tests.system.streams import Bus
from tests.waiting import eventually

MANAGE_LINK = re.compile(r"https?://\S+/enrolments/([A-Za-z0-9_-]+)")
ENDED = frozenset({"sent", "suppressed", "failed", "uncertain", "merged"})


Lines = Annotated[str, AfterValidator(lambda text: "\n".join(text.splitlines()))]


class Answer(BaseModel):
    """What the system answers; more may be in it than tests look at."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Mail(Answer):
    """A mail in the mailbox."""

    n: int
    to: str
    subject: str
    message_id: str
    text: Lines
    html: str
    calendar: str | None

    @property
    def manage_url(self) -> str:
        """Give the link by which its reader changes their enrolment."""
        (link,) = {match[0] for match in MANAGE_LINK.finditer(self.text)}
        return link

    @property
    def method(self) -> str | None:
        """Tell what its calendar part asks for; None where it has none."""
        return str(Calendar.from_ical(self.calendar)["METHOD"]) if self.calendar else None

    @property
    def entry(self) -> Event:
        """Give the one event of its calendar part."""
        (found,) = Calendar.from_ical(self.calendar or "").walk("VEVENT")
        assert isinstance(found, Event)
        return found


class Notice(Answer):
    """A line of the ledger."""

    notice_id: UUID
    event_id: str
    rule: str
    recipient: str
    channel: str
    language: str | None
    state: str
    reason: str | None
    workshop_id: UUID | None
    person_id: UUID | None


class Workshop(Answer):
    """A workshop as the catalogue shows it."""

    id: UUID
    slug: str
    state: str
    title: dict[str, str]
    publisher: str | None
    external_id: str | None
    sequence: int


class Enrolled(Answer):
    """What a request to enrol was answered."""

    enrolment_id: UUID
    workshop_id: UUID
    state: str
    waitlist_position: int | None
    manage_url: str

    @property
    def token(self) -> str:
        """Give the token of its link."""
        return self.manage_url.rpartition("/")[2]


class Publisher(Answer):
    """An outside system that was let in."""

    name: str
    service: str
    topic: str
    source: str
    token: str


@dataclass
class Stack:
    """A running system; `naming` is the environment, `folder` the option, by which the command finds it."""

    url: str
    bus: Bus
    http: httpx.AsyncClient
    logs: Path
    folder: Path | None = None
    naming: Mapping[str, str] = field(default_factory=dict)
    collector: Collector = field(default_factory=Collector)
    services: Mapping[str, str] = field(default_factory=dict)
    staff: dict[str, str] = field(default_factory=dict)
    links: set[str] = field(default_factory=set)
    _mails: list[Mail] = field(default_factory=list)

    async def convoca(self, *arguments: str) -> str:
        """Run a command on this system and give what it printed for machines; fails where it fails."""
        code, out, err = await self.attempt(*arguments)
        assert code == 0, err
        return out

    async def attempt(self, *arguments: str) -> tuple[int | None, str, str]:
        """Run a command on this system and give its exit code, and what it wrote for machines and for people."""
        where = ("--data", str(self.folder)) if self.folder else ()
        running = await asyncio.create_subprocess_exec(
            *(CONVOCA, *arguments, *where),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=surroundings(**self.naming),
        )
        out, err = await running.communicate()
        return running.returncode, out.decode(), err.decode()

    async def publisher(self, name: str, service: str) -> Publisher:
        """Let an outside system in."""
        printed = await self.convoca("publisher", "add", name, "--service", service, "--json")
        return Publisher.model_validate_json(printed)

    # The catalogue

    async def offer(self, stated: Mapping[str, Any]) -> Workshop:
        """Have staff state a workshop and put it on offer, and wait until one can enrol in it."""
        made = await self.http.post("/api/catalogue/workshops", json=stated, headers=self.staff)
        assert made.status_code == httpx.codes.CREATED, made.text
        shown = await self.steer(Workshop.model_validate_json(made.content), "schedule")
        await self.taken_in(shown)
        return shown

    async def steer(self, workshop: Workshop, verb: str, **body: Any) -> Workshop:  # noqa: ANN401 - any field of a body
        """Have staff do something with a workshop."""
        path = f"/api/catalogue/workshops/{workshop.id}/{verb}"
        done = await self.http.post(path, json=body or None, headers=self.staff)
        assert done.status_code == httpx.codes.OK, done.text
        return Workshop.model_validate_json(done.content)

    async def taken_in(self, workshop: Workshop) -> None:
        """Wait until registration knows a workshop."""

        async def known() -> bool:
            return (await self.seats(workshop)).status_code == httpx.codes.OK

        await eventually(known, f"registration to know {workshop.slug}")

    async def workshops(self, publisher: Publisher) -> list[Workshop]:
        """Give what everybody sees of a publisher's workshops."""
        shown = await self.pages("/api/catalogue/workshops", {}, {})
        return [each for each in map(Workshop.model_validate, shown) if each.publisher == publisher.name]

    # Registration

    async def seats(self, workshop: Workshop) -> httpx.Response:
        """Ask how many seats there are."""
        return await self.http.get(f"/api/registration/workshops/{workshop.id}/seats")

    async def ask(self, workshop: Workshop, person: Person, /, **others: Any) -> httpx.Response:  # noqa: ANN401
        """Ask for a seat."""
        return await self.http.post("/api/registration/enrolments", json=request(str(workshop.id), person, **others))

    async def enrol(self, workshop: Workshop, person: Person, /, **others: Any) -> Enrolled:  # noqa: ANN401
        """Enrol a person; fails where they are refused."""
        answer = await self.ask(workshop, person, **others)
        assert answer.status_code == httpx.codes.CREATED, answer.text
        enrolled = Enrolled.model_validate_json(answer.content)
        self.links.add(enrolled.token)
        return enrolled

    async def enrolment(self, enrolled: Enrolled) -> dict[str, Any]:
        """Give an enrolment as its holder sees it."""
        answer = await self.http.get(
            f"/api/registration/enrolments/{enrolled.enrolment_id}", params={"token": enrolled.token}
        )
        return dict(answer.raise_for_status().json())

    async def decide(self, enrolled: Enrolled, verb: str, **body: Any) -> httpx.Response:  # noqa: ANN401
        """Have staff approve or decline an enrolment."""
        path = f"/api/registration/enrolments/{enrolled.enrolment_id}/{verb}"
        return await self.http.post(path, json=body or None, headers=self.staff)

    # What operators see

    async def metrics(self, service: str) -> str:
        """Scrape a service, as Prometheus does behind the front door."""
        answer = await self.http.get(f"{self.services[service]}/api/{service}/metrics")
        return answer.raise_for_status().text

    # What people are told

    async def mails(self, person: Person) -> list[Mail]:
        """Give the mails to a person, the oldest first."""
        return [mail for mail in await self.mailbox() if mail.to == person.address]

    async def mailbox(self) -> list[Mail]:
        """Give all mails, the oldest first."""
        last = self._mails[-1].n if self._mails else 0
        answer = await self.http.get("/mailbox.json", params={"after": last})
        self._mails += [Mail.model_validate(each) for each in answer.raise_for_status().json()]
        return self._mails

    async def told(self, person: Person, times: int) -> list[Mail]:
        """Wait until a person has been written to so many times, and give those mails; fails where it is more."""

        async def enough() -> list[Mail]:
            found = await self.mails(person)
            return found if len(found) >= times else []

        found = await eventually(enough, f"{times} mails to a person")
        assert len(found) == times, [mail.subject for mail in found]
        return found

    async def as_sent(self, mail: Mail) -> EmailMessage:
        """Give a mail with all its headers and parts."""
        source = await self.http.get(f"/mailbox/{mail.n}/source")
        return message_from_bytes(source.raise_for_status().content, policy=policy.default)

    async def notices(self, **criteria: Any) -> list[Notice]:  # noqa: ANN401 - any filter of the ledger
        """Give the lines of the ledger that are asked for, the oldest first."""
        shown = await self.pages("/api/notifications/notices", criteria, self.staff)
        return [Notice.model_validate(each) for each in reversed(shown)]

    async def settled(self, workshop: Workshop, rules: Mapping[str, int]) -> list[Notice]:
        """Wait until a workshop's ledger has so many notices of these rules, each at its end; fails where more are.

        What is gathered for a quarter of an hour is left out.
        """
        wanted = {rule: number for rule, number in rules.items() if number}

        async def ended() -> list[Notice]:
            found = [each for each in await self.notices(workshop_id=workshop.id) if each.rule in rules]
            return found if len(found) >= sum(wanted.values()) and {each.state for each in found} <= ENDED else []

        found = await eventually(ended, f"the ledger to have {wanted}")
        assert count(each.rule for each in found) == wanted
        return found

    async def pages(self, path: str, query: Mapping[str, Any], headers: Mapping[str, str]) -> list[dict[str, Any]]:
        """Give a list to its end, page by page."""
        items: list[dict[str, Any]] = []
        cursor: str | None = None
        while True:
            more = {"cursor": cursor} if cursor else {}
            answer = await self.http.get(path, params={"limit": 1000, **query, **more}, headers=headers)
            page = answer.raise_for_status().json()
            items += page["items"]
            cursor = page["next"]
            if cursor is None:
                return items


def count(names: Sequence[str] | Collection[str] | Any) -> dict[str, int]:  # noqa: ANN401 - anything that gives names
    """Tell how often each name occurs."""
    found: dict[str, int] = {}
    for name in names:
        found[name] = found.get(name, 0) + 1
    return found


def slug_of(answer: httpx.Response) -> str:
    """Give the slug of a problem (RFC 9457); fails where it is none."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    problem = answer.json()
    assert problem["status"] == answer.status_code
    return str(problem["type"]).rpartition(":")[2]
