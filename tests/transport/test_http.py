"""Events over HTTP: taken into the database at once, and from there the way of those from Kafka."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import uuid4

import httpx
import pytest_asyncio

from shared.errors import Conflict
from shared.events.topics import INBOUND
from shared.messaging import publishers
from shared.messaging.follow import Followers
from shared.runtime import Service, application
from shared.settings import ServiceSettings
from shared.web import problems, tokens
from tests.clock import HandClock
from tests.conftest import MakeUrl
from tests.transport.conftest import KEY, OFFICE, Effects, Rig, make_effects, record_of, subscription_of, unknown


@dataclass
class Door:
    """A service's HTTP, without its process; `rig` is what is behind it."""

    client: httpx.AsyncClient
    rig: Rig
    token: str

    async def post(self, *, token: str | None = None, **changes: str) -> httpx.Response:
        """Send an event in binary mode; `changes` are attributes, or `data`."""
        record = record_of(changes.pop("name", "Vic"), uuid4())
        headers = {name.replace("_", "-"): value.decode() for name, value in record.headers if value}
        headers |= {"ce-source": "/publishers/cms"}
        headers |= {f"ce-{name}": value for name, value in changes.items() if name != "data"}
        headers |= {"authorization": f"Bearer {token or self.token}"}
        return await self.client.post("/events", content=changes.get("data", record.value), headers=headers)

    async def state(self, event_id: str) -> str:
        """Ask what became of an event."""
        answer = await self.client.get(f"/events/{event_id}", headers={"authorization": f"Bearer {self.token}"})
        return str(answer.json()["state"])


@pytest_asyncio.fixture
async def door(database_url: MakeUrl, clock: HandClock) -> AsyncIterator[Door]:
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
        token = await publishers.add(tx.session, "cms", tx.now)
        await tokens.create(tx.session, "anna", "staff", "of-staff", tx.now, None)
    [consumer] = service.consumers
    await make_effects(service.database, clock)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test/api/registration") as client:
        yield Door(client, Rig(service.database, consumer, effects, clock), token)
    await service.database.close()


async def test_an_event_is_accepted_and_then_done(door: Door) -> None:
    answer = await door.post(id="e-1")
    assert (answer.status_code, answer.json()["state"]) == (202, "accepted")
    await door.rig.consumer.tend()
    assert await door.rig.names() == ["Vic"]
    assert await door.state("e-1") == "done"


async def test_a_structured_event_is_accepted(door: Door) -> None:
    record = record_of("Olot", uuid4())
    event = {name.removeprefix("ce_"): value.decode() for name, value in record.headers if value}
    event |= {"source": "/publishers/cms", "data": json.loads(record.value or b"")}
    headers = {"authorization": f"Bearer {door.token}", "content-type": "application/cloudevents+json"}
    answer = await door.client.post("/events", content=json.dumps(event), headers=headers)
    assert answer.status_code == 202
    await door.rig.consumer.tend()
    assert await door.rig.names() == ["Olot"]


async def test_an_event_that_comes_again_by_either_way_is_done_once(door: Door) -> None:
    await door.post(id="e-1")
    assert (await door.post(id="e-1")).status_code == 202
    await door.rig.consumer.tend()
    record = record_of("Vic", uuid4(), topic="inbound.registration.cms")
    again = {"ce_id": b"e-1", "ce_source": b"/publishers/cms"}
    headers = tuple((name, again.get(name, value)) for name, value in record.headers)
    await door.rig.consumer.take([type(record)(record.topic, 0, 1, record.key, record.value, headers)])
    assert await door.rig.names() == ["Vic"]


async def test_what_waits_and_what_is_refused_is_told_to_its_publisher(door: Door) -> None:
    door.rig.effects.faults = {"early": unknown(), "late": Conflict("not-open", "Enrolment has closed.")}
    await door.post(id="e-1", name="early")
    await door.post(id="e-2", name="late")
    await door.rig.consumer.tend()
    assert (await door.state("e-1"), await door.state("e-2")) == ("waiting", "refused")


async def test_what_is_wrong_is_said_and_nothing_is_kept(door: Door) -> None:
    refusals = {
        400: [{"data": "{"}, {"data": '{"name": 5}'}, {"type": "unheard.of"}, {"specversion": "0.3"}],
        403: [{"source": "/publishers/other"}, {"token": "wrong"}, {"token": "of-staff"}],
    }
    for status, requests in refusals.items():
        for changes in requests:
            answer = await door.post(**changes)
            assert answer.status_code == status, changes
            assert answer.headers["content-type"] == "application/problem+json"
    assert (await door.client.post("/events", content=b"{}")).status_code == 401
    assert (await door.post(data="x" * 262_145)).status_code == 413
    assert await door.rig.outcomes() == []


async def test_who_asks_for_an_event_that_is_not_theirs_hears_of_none(door: Door) -> None:
    await door.post(id="e-1")
    async with door.rig.database.transaction(door.rig.clock()) as tx:
        other = await publishers.add(tx.session, "other", tx.now)
    answer = await door.client.get("/events/e-1", headers={"authorization": f"Bearer {other}"})
    assert answer.status_code == 404
