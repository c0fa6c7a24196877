"""The services' HTTP, as whoever is outside uses it."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

import httpx
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from deploy.demo.people import Person

PAGE = 1000


class Shown(BaseModel):
    """What an answer holds; what we do not look at is kept for sending it back."""

    model_config = ConfigDict(frozen=True, extra="allow")


class Session(Shown):
    """One meeting."""

    starts_at: AwareDatetime
    ends_at: AwareDatetime
    timezone: str

    def later(self, days: int) -> dict[str, Any]:
        """Write the session so many days later, at the same time by the clock on its wall."""
        moved = {
            name: (moment.astimezone(ZoneInfo(self.timezone)).replace(tzinfo=None) + timedelta(days=days))
            .replace(tzinfo=ZoneInfo(self.timezone))
            .isoformat()
            for name, moment in (("starts_at", self.starts_at), ("ends_at", self.ends_at))
        }
        return self.model_dump(mode="json") | moved


class Workshop(Shown):
    """A workshop as the catalogue shows it."""

    id: str
    slug: str
    state: str
    title: dict[str, str]
    publisher: str | None
    external_id: str | None
    sessions: Annotated[list[Session], Field(min_length=1)]

    @property
    def starts_at(self) -> datetime:
        """When it begins."""
        return self.sessions[0].starts_at


class Seats(Shown):
    """The seats of one way of attending; None is unlimited."""

    capacity: int | None
    confirmed: int
    waitlisted: int
    available: int | None


class Enrolled(BaseModel):
    """Somebody's enrolment, with the link by which they change it."""

    model_config = ConfigDict(frozen=True)

    enrolment_id: str
    workshop_id: str
    state: str
    waitlist_position: int | None
    manage_url: str
    person: Person

    @property
    def token(self) -> str:
        """The token of the link."""
        return self.manage_url.rsplit("/", 1)[1]


class Notice(Shown):
    """A line of the ledger of notices."""

    rule: str
    recipient: str
    state: str
    event_id: str
    workshop_id: str | None


class Api:
    """The three services behind their front door; `token` is one of staff."""

    def __init__(self, client: httpx.AsyncClient, token: str) -> None:
        """Use `client`, whose base is the front door."""
        self._client = client
        self._staff = {"Authorization": f"Bearer {token}"}

    async def workshops(self) -> list[Workshop]:
        """List the workshops on offer as everybody sees them."""
        return [Workshop.model_validate(item) for item in await self._all("/api/catalogue/workshops")]

    async def workshop(self, key: str) -> Workshop:
        """Show one to staff."""
        answer = await self._client.get(f"/api/catalogue/workshops/{key}", headers=self._staff)
        return Workshop.model_validate(answer.raise_for_status().json())

    async def offer(self, content: dict[str, Any]) -> Workshop:
        """Make a workshop of the office's own and put it on offer."""
        made = await self._client.post("/api/catalogue/workshops", json=content, headers=self._staff)
        return await self._act(made.raise_for_status().json()["id"], "schedule")

    async def reschedule(self, workshop: Workshop, days: int) -> Workshop:
        """Move all its sessions by whole days."""
        return await self._act(
            workshop.id, "reschedule", {"sessions": [each.later(days) for each in workshop.sessions]}
        )

    async def cancel(self, workshop: Workshop, reason: dict[str, str]) -> Workshop:
        """Call it off."""
        return await self._act(workshop.id, "cancel", {"reason": reason})

    async def seats(self, workshop: Workshop) -> dict[str, Seats] | None:
        """Tell its seats; None while registration has not heard of it."""
        answer = await self._client.get(f"/api/registration/workshops/{workshop.id}/seats")
        if answer.status_code == httpx.codes.NOT_FOUND:
            return None
        return {way: Seats.model_validate(seats) for way, seats in answer.raise_for_status().json().items()}

    async def enrol(self, workshop: Workshop, person: Person, attendance: Literal["in_person", "online"]) -> Enrolled:
        """Enrol somebody, as the form on a city's own site might."""
        city = person.city
        body = {
            "workshop_id": workshop.id,
            "attendance": attendance,
            "person": {"name": person.name, "email": person.email, "language": person.language},
            "organisation": {
                "name": city.name,
                "kind": "city",
                "country": city.country,
                "population": city.population,
            },
            "accepts": ["privacy"],
            "groups": [],
        }
        key = {"Idempotency-Key": f"{workshop.id}:{person.email}"}
        answer = await self._client.post("/api/registration/enrolments", json=body, headers=key)
        return Enrolled.model_validate(answer.raise_for_status().json() | {"person": person})

    async def enrolment(self, enrolled: Enrolled) -> dict[str, Any]:
        """Show an enrolment to its holder."""
        answer = await self._client.get(
            f"/api/registration/enrolments/{enrolled.enrolment_id}", params={"token": enrolled.token}
        )
        shown: dict[str, Any] = answer.raise_for_status().json()
        return shown

    async def withdraw(self, enrolled: Enrolled) -> dict[str, Any]:
        """Give a seat up, as its holder."""
        answer = await self._client.post(
            f"/api/registration/enrolments/{enrolled.enrolment_id}/withdraw", params={"token": enrolled.token}
        )
        shown: dict[str, Any] = answer.raise_for_status().json()
        return shown

    async def notices(self, workshops: Sequence[Workshop]) -> list[Notice]:
        """Read what the ledger has of some workshops."""
        return [
            Notice.model_validate(item)
            for workshop in workshops
            for item in await self._all("/api/notifications/notices", workshop_id=workshop.id)
        ]

    async def page(self, path: str) -> int:
        """Open a page as a browser does; gives the status."""
        return (await self._client.get(path, headers={"Accept": "text/html"})).status_code

    async def _act(self, workshop_id: str, verb: str, body: dict[str, Any] | None = None) -> Workshop:
        path = f"/api/catalogue/workshops/{workshop_id}/{verb}"
        answer = await self._client.post(path, json=body, headers=self._staff)
        return Workshop.model_validate(answer.raise_for_status().json())

    async def _all(self, path: str, **query: str) -> list[dict[str, Any]]:
        """Read a list to its end."""
        items: list[dict[str, Any]] = []
        cursor: str | None = None
        while True:
            asked = {"limit": str(PAGE), **query} | ({"cursor": cursor} if cursor else {})
            answer = (await self._client.get(path, params=asked, headers=self._staff)).raise_for_status().json()
            items += answer["items"]
            cursor = answer["next"]
            if cursor is None:
                return items
