"""The story: what is done, step by step, and whether each step's effect is really there."""

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from random import Random
from typing import Literal

import httpx
import uuid_utils.compat as uuids

from deploy import stream
from deploy.demo import offers, people
from deploy.demo.api import Api, Enrolled, Seats, Workshop
from deploy.demo.cities import choose
from deploy.demo.steps import Step, StepFailed
from deploy.demo.watch import Mail, Watch, look
from shared.events.topics import ENROLMENTS, WORKSHOPS, Topic, inbound
from shared.settings import KafkaSettings

PROGRAMME = Path(__file__).with_name("programme.yaml")
PUBLISHER = "demo-cms"
FIRST_MEETING = "small-giants-primera-reunio"
CITIES = 40
TO_THE_WORKSHOP, TO_THE_MEETING, TO_THE_WEBINAR = offers.SEATS + 4, 12, 8
AT_ONCE = 8
DAYS_LATER = 21
"""By how much the first meeting is moved; so was the real one."""
Convoca = Callable[..., Awaitable[str]]
"""Runs a `convoca` command on the stack and gives what it wrote to stdout; raises StepFailed where it fails."""


class Story:
    """One telling. Each has people and workshops of its own, so that it can be told again on the same data."""

    workshop: Workshop
    meeting: Workshop
    webinar: Workshop
    promoted: Enrolled

    def __init__(self, api: Api, kafka: KafkaSettings, convoca: Convoca, watch: Watch) -> None:
        """Act through `api`, `kafka` and `convoca`; look through `watch`."""
        self.name = uuids.uuid7().hex[-6:]
        self.steps: list[Step] = []
        self._api, self._kafka, self._convoca, self._watch = api, kafka, convoca, watch
        self._enrolled: dict[str, list[Enrolled]] = {}
        chance = Random(self.name)  # noqa: S311 - nothing secret
        cities = choose(CITIES, chance)
        self._host = next(city for city in cities if city.catalan)
        self._outside = list(people.of(cities, self.name, chance))

    async def tell(self, on_step: Callable[[Step], None]) -> bool:
        """Tell it all; tells whether every effect was found. `on_step` hears of each step as it begins and ends."""
        acts = {
            "The example programme is imported, into the coming months": self._import,
            f"An outside system, {PUBLISHER}, publishes a workshop": self._publish,
            "People of many cities enrol, until a workshop is full and has a queue": self._enrol,
            "One withdraws, and the next in the queue is promoted": self._withdraw,
            "The first meeting is moved to another date": self._reschedule,
            "A workshop is cancelled": self._cancel,
            "Everybody was told, and nobody twice": self._account,
        }
        for title, act in acts.items():
            step = Step(title)
            self.steps.append(step)
            on_step(step)
            try:
                await act(step)
            except (StepFailed, httpx.HTTPError) as error:
                step.failure = str(error) or type(error).__name__
            step.done = True
            on_step(step)
            if step.failure is not None:
                return False
        return all(step.holds for step in self.steps)

    async def _import(self, step: Step) -> None:
        rows = json.loads(await self._convoca("import", str(PROGRAMME), "--redate", "--json"))
        step.counts = dict(Counter(row["outcome"] for row in rows))
        step.check("no row of the file was refused", rows and not step.counts.get("refused"))
        wanted = {row["key"] for row in rows if row["kind"] == "workshop"}
        offered = {workshop.slug: workshop for workshop in await self._api.workshops() if workshop.slug in wanted}
        step.check("all its workshops are on offer", offered.keys() == wanted)
        ahead = all(workshop.starts_at > datetime.now(UTC) for workshop in offered.values())
        step.check("all of them lie ahead", ahead)
        step.check("each has its title in three languages", all(len(each.title) == 3 for each in offered.values()))  # noqa: PLR2004
        ids = {workshop.id for workshop in offered.values()}
        facts = ("workshop.scheduled", "workshop.updated", "workshop.rescheduled")
        step.check("Kafka has the fact of each", await self._heard(WORKSHOPS, ids, *facts, anew=False))
        if FIRST_MEETING not in offered:
            raise StepFailed(f"there is no workshop {FIRST_MEETING}")
        self.meeting = offered[FIRST_MEETING]

    async def _publish(self, step: Step) -> None:
        external_id = f"heat-networks-{self.name}"
        data = offers.workshop_of_a_city(self._host, external_id, datetime.now(UTC))
        event = stream.CloudEvent(
            specversion="1.0",
            id=str(uuids.uuid7()),
            source=f"/publishers/{PUBLISHER}",
            type="workshop.scheduled",
            subject=external_id,
            time=datetime.now(UTC),
            data=data,
        )
        await stream.publish(self._kafka, inbound("catalogue", PUBLISHER).name, [event])
        step.counts = {"published": 1}

        async def taken() -> Workshop | None:
            shown = [each for each in await self._api.workshops() if each.external_id == external_id]
            return shown[0] if shown else None

        workshop = await look(taken)
        if workshop is None:
            raise StepFailed("the catalogue did not take the outside system's workshop")
        self.workshop = workshop
        step.check(f"the catalogue shows it as {PUBLISHER}'s", workshop.publisher == PUBLISHER)
        heard = await self._heard(WORKSHOPS, [workshop.id], "workshop.scheduled")
        step.check("Kafka has it as the catalogue's own fact", heard)
        self.webinar = await self._api.offer(offers.webinar_of_the_office(datetime.now(UTC)))
        step.check("the office's own webinar is on offer beside it", self.webinar.state == "scheduled")

    async def _enrol(self, step: Step) -> None:
        for workshop in (self.workshop, self.meeting, self.webinar):
            if await look(partial(self._api.seats, workshop)) is None:
                raise StepFailed(f"registration did not hear of {workshop.slug}")
        await self._enrol_in(self.workshop, TO_THE_WORKSHOP, "in_person")
        await self._enrol_in(self.meeting, TO_THE_MEETING, "online")
        await self._enrol_in(self.webinar, TO_THE_WEBINAR, "online")
        everybody = [each for enrolled in self._enrolled.values() for each in enrolled]
        step.counts = {
            "people": len(everybody),
            "cities": len({each.person.city for each in everybody}),
            "countries": len({each.person.city.country for each in everybody}),
            **Counter(each.state for each in everybody),
        }
        seats = await self._seats()
        step.check("every seat of the workshop is taken, and none twice", seats.confirmed == seats.capacity)
        queue = sorted(each.waitlist_position or 0 for each in self._in("waitlisted"))
        step.check("the others have a place each in its queue", queue and queue == [*range(1, len(queue) + 1)])
        ids = {each.enrolment_id for each in everybody}
        heard = await self._heard(ENROLMENTS, ids, "enrolment.created")
        created = [event.subject for event in self._watch.of(ENROLMENTS.name, ("enrolment.created",))]
        step.check("Kafka has each enrolment, created once", heard and len(created) == len(set(created)))
        step.check("everybody had a mail", await self._mailed(everybody))

    async def _withdraw(self, step: Step) -> None:
        leaving = self._in("confirmed")[0]
        first, *others = sorted(self._in("waitlisted"), key=lambda each: each.waitlist_position or 0)
        before = self._watch.last_mail
        shown = await self._api.withdraw(leaving)
        step.counts = {"withdrawn": 1, "promoted": 1, "still waiting": len(others)}
        step.check("the one who leaves has withdrawn", shown["state"] == "withdrawn")

        async def promoted() -> bool | None:
            return (await self._api.enrolment(first))["state"] == "confirmed" or None

        step.check("the first in the queue has the seat", await look(promoted))
        positions = [(await self._api.enrolment(each))["waitlist_position"] for each in others]
        step.check("the others moved up by one", positions == [*range(1, len(others) + 1)])
        seats = await self._seats()
        step.check("the workshop is as full as before", seats.confirmed == seats.capacity)
        heard = await self._heard(ENROLMENTS, [first.enrolment_id], "enrolment.confirmed")
        step.check("Kafka has the promotion", heard)
        step.check("both had a mail of it", await self._mailed([leaving, first], before))
        self.promoted = first

    async def _reschedule(self, step: Step) -> None:
        before = self._watch.last_mail
        moved = await self._api.reschedule(self.meeting, DAYS_LATER)
        people_of = self._enrolled[self.meeting.id]
        step.counts = {"days later": DAYS_LATER, "to be told": len(people_of)}
        shown = await self._api.workshop(self.meeting.slug)
        step.check("it has another date", shown.starts_at == moved.starts_at != self.meeting.starts_at)
        step.check("on the same weekday", moved.starts_at.weekday() == self.meeting.starts_at.weekday())
        step.check("Kafka has the change", await self._heard(WORKSHOPS, [self.meeting.id], "workshop.rescheduled"))
        step.check("all who enrolled had a mail of it", await self._mailed(people_of, before))
        self.meeting = moved

    async def _cancel(self, step: Step) -> None:
        before = self._watch.last_mail
        cancelled = await self._api.cancel(self.webinar, offers.REASON)
        people_of = self._enrolled[self.webinar.id]
        step.counts = {"cancelled": 1, "to be told": len(people_of)}
        step.check("it is cancelled", cancelled.state == "cancelled")
        step.check("Kafka has the cancellation", await self._heard(WORKSHOPS, [self.webinar.id], "workshop.cancelled"))
        ended = await self._heard(ENROLMENTS, [each.enrolment_id for each in people_of], "enrolment.cancelled")
        step.check("each enrolment ended with it", ended)
        step.check("all had a mail of it", await self._mailed(people_of, before))
        off = all("METHOD:CANCEL" in (mail.calendar or "") for each in people_of for mail in self._mails(each, before))
        step.check("which takes it out of their calendars", off)

    async def _account(self, step: Step) -> None:
        workshops = (self.workshop, self.meeting, self.webinar)

        async def settled() -> Counter[str] | None:
            states = Counter(
                notice.state for notice in await self._api.notices(workshops) if notice.rule.startswith("participant.")
            )
            return states if states and not states["owed"] else None

        states = await look(settled) or Counter[str]()
        step.check("the ledger owes nobody a mail", states)
        step.check("no mail failed", states and not states["failed"] and not states["uncertain"])
        ours = [mail for enrolled in self._enrolled.values() for each in enrolled for mail in self._mails(each)]
        step.check("no mail was sent twice", len({(mail.to, mail.message_id) for mail in ours}) == len(ours))
        lost = [event for event in self._watch.events if event.topic.startswith("dead-letters.")]
        step.check("nothing was left undelivered", not lost)
        pages = [f"/workshops/{workshop.slug}" for workshop in workshops] + [f"/enrolments/{self.promoted.token}"]
        opened = [await self._api.page(path) for path in ("/workshops", *pages, "/mailbox")]
        step.check("the pages that tell of it open", all(status == httpx.codes.OK for status in opened))
        step.counts = {"mails": len(ours), **{f"notices {state}": number for state, number in states.items()}}

    async def _enrol_in(self, workshop: Workshop, number: int, way: Literal["in_person", "online"]) -> None:
        """Enrol so many people, several at once."""
        coming = [self._outside.pop() for _ in range(number)]
        enrolled = self._enrolled[workshop.id] = []
        for start in range(0, number, AT_ONCE):
            together = (self._api.enrol(workshop, person, way) for person in coming[start : start + AT_ONCE])
            enrolled.extend(await asyncio.gather(*together))

    def _in(self, state: str) -> list[Enrolled]:
        """Give those whose request for the outside workshop was answered with a state."""
        return [each for each in self._enrolled[self.workshop.id] if each.state == state]

    async def _seats(self) -> Seats:
        seats = await self._api.seats(self.workshop)
        if not seats or "in_person" not in seats:
            raise StepFailed("the workshop has no seats")
        return seats["in_person"]

    async def _heard(self, topic: Topic, ids: Iterable[str], *types: str, anew: bool = True) -> bool:
        """Wait for events of some types about all of `ids`; `anew`: that happened since the story began."""
        wanted = set(ids)
        return await self._watch.until(
            lambda: wanted <= {event.subject for event in self._watch.of(topic.name, types, anew=anew)}
        )

    def _mails(self, enrolled: Enrolled, after: int = 0) -> list[Mail]:
        return self._watch.mails_to(enrolled.person.email, after)

    async def _mailed(self, enrolled: Sequence[Enrolled], after: int = 0) -> bool:
        """Wait until each has had a mail after a number."""
        return await self._watch.until(lambda: all(self._mails(each, after) for each in enrolled))
