"""A service's HTTP, without its process: where outside systems hand in their events."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from urllib.parse import quote
from uuid import UUID, uuid4

import httpx
import pytest_asyncio

from shared.events.topics import INBOUND
from shared.messaging import publishers
from shared.messaging.envelope import Record
from shared.messaging.follow import Followers
from shared.runtime import Service, application
from shared.settings import ServiceSettings
from shared.web import problems, tokens
from tests.clock import HandClock
from tests.conftest import MakeUrl
from tests.transport.conftest import KEY, OFFICE, Effects, Rig, make_effects, record_of, subscription_of

OWN = "/publishers/cms"


@dataclass
class Door:
    """What is knocked at; `rig` is what is behind it, `token` and `other` are those of two publishers."""

    client: httpx.AsyncClient
    rig: Rig
    token: str
    other: str

    async def post(self, *, token: str | None = None, **changes: str) -> httpx.Response:
        """Send an event in binary mode; `changes` are attributes, or `data`, or the `name` of what it tells."""
        record = self.said(changes.pop("name", "Vic"))
        headers = {name.replace("_", "-"): value.decode() for name, value in record.headers if value}
        headers |= {f"ce-{name}": value for name, value in changes.items() if name != "data"}
        headers |= {"authorization": f"Bearer {token or self.token}"}
        return await self.client.post("/events", content=changes.get("data", record.value), headers=headers)

    async def post_whole(self, content: object, media: str = "application/cloudevents+json") -> httpx.Response:
        """Send an event in structured mode."""
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        headers = {"authorization": f"Bearer {self.token}", "content-type": media}
        return await self.client.post("/events", content=body, headers=headers)

    async def about(self, event_id: str, *, token: str | None = None) -> httpx.Response:
        """Ask what became of an event."""
        headers = {"authorization": f"Bearer {token or self.token}"}
        return await self.client.get(f"/events/{quote(event_id, safe='')}", headers=headers)

    async def state(self, event_id: str) -> tuple[str, str | None]:
        """Ask what became of an event, and why."""
        answer = (await self.about(event_id)).raise_for_status().json()
        assert answer["id"] == event_id
        return answer["state"], answer["detail"]

    @staticmethod
    def said(name: str, *, event_id: str | None = None, key: UUID | None = None) -> Record:
        """Give the record by which the publisher says the same over Kafka."""
        record = record_of(name, key or uuid4(), topic="inbound.registration.cms")
        own = {"ce_source": OWN.encode()} | ({"ce_id": event_id.encode()} if event_id else {})
        headers = tuple((known, own.get(known, value)) for known, value in record.headers)
        return Record(record.topic, record.partition, record.offset, record.key, record.value, headers)

    def whole(self, name: str, **changes: object) -> dict[str, object]:
        """Give an event as structured mode has it."""
        record = self.said(name)
        attributes = {known.removeprefix("ce_"): value.decode() for known, value in record.headers if value}
        del attributes["content-type"]
        return {**attributes, "data": json.loads(record.value or b""), **changes}


@pytest_asyncio.fixture
async def door(database_url: MakeUrl, clock: HandClock) -> AsyncIterator[Door]:
    """Give the door of a service whose only deeds are effects."""
    effects, follow = Effects(), Followers("registration")
    follow.subscriptions.append(subscription_of(effects, INBOUND["registration"]))
    settings = ServiceSettings(
        kafka_servers="127.0.0.1:1",
        database_url=await database_url("registration"),
        public_url="http://127.0.0.1",
        secret_key=KEY,
        office=OFFICE,
    )
    service = Service("registration", settings, followers=follow, clock=clock)
    app = application(service)
    problems.install(app)
    async with service.transaction() as tx:
        token, other = [await publishers.add(tx.session, name, tx.now) for name in ("cms", "other")]
        await tokens.create(tx.session, "anna", "staff", "of-staff", tx.now, None)
    [consumer] = service.consumers
    await make_effects(service.database, clock)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test/api/registration") as client:
        yield Door(client, Rig(service.database, consumer, effects, clock), token, other)
    await service.database.close()
