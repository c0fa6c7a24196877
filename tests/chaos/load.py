"""People who enrol, repeat themselves and withdraw; an outside system that enrols others; staff who change things."""

import asyncio
import json
import random
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import UUID

from shared.events.topics import inbound
from tests.chaos.client import Client, Headers, Sender
from tests.chaos.ledger import Asked, Ledger, Offered
from tests.chaos.world import PUBLISHER, World
from tests.system.offers import session, workshop
from tests.waiting import eventually

WORKSHOPS = 5
MOST_SEATS = 12
PEOPLE_AT_ONCE = 8
LONGEST_THOUGHT = 0.3
SECONDS_BETWEEN_CHANGES = 2.0
DAYS = range(11, 29)
ORGANISATION = {"name": "Ajuntament de Vic", "kind": "city", "country": "ES", "population": 39844}


class Load:
    """All who are at it; `over` is set when they are to end, which they do once what they have begun is answered."""

    def __init__(self, world: World, ledger: Ledger, luck: random.Random) -> None:
        self._world = world
        self._ledger = ledger
        self._luck = luck
        self._client = Client(world, ledger, luck)
        self._sender = Sender(world, ledger)
        self._people = 0
        self._mark = f"{luck.getrandbits(32):08x}"
        self.over = asyncio.Event()

    async def offer(self) -> None:
        """Put workshops with few seats on offer, and wait until one can enrol."""
        await self._sender.start()
        for _ in range(WORKSHOPS):
            seats = self._luck.randint(1, MOST_SEATS)
            made = await self._staff("POST", "", workshop(seats={"in_person": seats}))
            await self._staff("POST", f"/{made['id']}/schedule")
            self._ledger.workshops[UUID(made["id"])] = Offered(
                UUID(made["id"]), seats, made["sessions"][0]["starts_at"]
            )
        for each in self._ledger.workshops:
            await eventually(partial(self._can_enrol, each), "a workshop to be known")

    async def run(self) -> None:
        """Go on until it is over and everything is answered."""
        async with asyncio.TaskGroup() as all_of_them:
            for _ in range(PEOPLE_AT_ONCE):
                all_of_them.create_task(self._people_come())
            for each in self._ledger.workshops:
                all_of_them.create_task(self._outside_system(each))
            all_of_them.create_task(self._staff_change_things())

    async def close(self) -> None:
        """Close what is open."""
        await self._client.close()
        await self._sender.close()

    async def _can_enrol(self, workshop_id: UUID) -> bool:
        return (await self._client.call("registration", "GET", f"/workshops/{workshop_id}/seats")).is_success

    async def _people_come(self) -> None:
        while not self.over.is_set():
            match self._luck.random():
                case luck if luck < 0.25 and self._ledger.may_leave:
                    await self._withdraw(self._luck.choice(self._ledger.may_leave))
                case luck if luck < 0.32 and self._ledger.may_leave:
                    await self._repeat(self._luck.choice(self._ledger.may_leave))
                case _:
                    await self._enrol()
            await self._think(LONGEST_THOUGHT)

    async def _enrol(self) -> None:
        asked = self._request(self._luck.choice(list(self._ledger.workshops)))
        self._ledger.by_http.append(asked)
        answer = await self._ask(asked)
        if answer is not None:
            asked.accepted, asked.answer = time.monotonic(), answer

    async def _repeat(self, asked: Asked) -> None:
        """Send again what was answered long ago, as a client does that lost the answer."""
        answer = await self._ask(asked)
        if answer not in (None, asked.answer):
            self._ledger.strange.append(f"the same key was answered {asked.answer} and then {answer}")

    async def _ask(self, asked: Asked) -> dict[str, Any] | None:
        answer = await self._client.call(
            "registration", "POST", "/enrolments", json=asked.body, headers={"Idempotency-Key": asked.key}
        )
        if answer.status_code == 201:
            return dict(answer.json())
        self._ledger.strange.append(f"a request was answered {answer.status_code}: {answer.text}")
        return None

    async def _withdraw(self, asked: Asked) -> None:
        asked.to_leave = True
        said = asked.answer or {}
        path = f"/enrolments/{said['enrolment_id']}/withdraw"
        token = said["manage_url"].rpartition("/")[2]
        answer = await self._client.call("registration", "POST", path, params={"token": token})
        asked.left = answer.status_code == 200
        if not asked.left:
            self._ledger.strange.append(f"a withdrawal was answered {answer.status_code}: {answer.text}")

    async def _outside_system(self, of: UUID) -> None:
        """Enrol people one after another: each record is acknowledged before the next is sent, and some go twice."""
        topic, key = inbound("registration", PUBLISHER).name, str(of).encode()
        while not self.over.is_set():
            asked = self._request(of)
            self._ledger.by_bus.append(asked)
            headers, value = self._event(asked)
            asked.in_turn = self._luck.random() > 0.15
            if not asked.in_turn:
                await self._post(headers, value)
            await self._sender.send(topic, key, value, headers)
            asked.accepted = time.monotonic()
            if self._luck.random() < 0.2:
                await self._sender.send(topic, key, value, headers)
            await self._think(4 * LONGEST_THOUGHT)

    async def _post(self, headers: Headers, value: bytes) -> None:
        """Send over HTTP too what then goes over Kafka: it is one event all the same."""
        named = {name.replace("ce_", "ce-"): text.decode() for name, text in headers}
        named["Authorization"] = f"Bearer {self._world.token}"
        answer = await self._client.call("registration", "POST", "/events", content=value, headers=named)
        if answer.status_code != 202:
            self._ledger.strange.append(f"an event was answered {answer.status_code}: {answer.text}")

    async def _staff_change_things(self) -> None:
        """Move workshops to other days, and give them seats."""
        while not self.over.is_set():
            await self._think(2 * SECONDS_BETWEEN_CHANGES)
            of = self._luck.choice(list(self._ledger.workshops.values()))
            if self._luck.random() < 0.5:
                later = session(self._luck.choice(DAYS))
                moved = await self._staff("POST", f"/{of.workshop}/reschedule", {"sessions": [later]})
                of.starts_at = moved["sessions"][0]["starts_at"]
            else:
                of.seats += 1
                await self._staff("PATCH", f"/{of.workshop}", {"seats": {"in_person": of.seats}})

    async def _staff(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        answer = await self._client.call(
            "catalogue", method, f"/workshops{path}", json=body, headers=dict(self._world.staff)
        )
        assert answer.is_success, answer.text
        return dict(answer.json())

    async def _think(self, longest: float) -> None:
        """Wait a little, or until it is over."""
        try:
            async with asyncio.timeout(longest * self._luck.random()):
                await self.over.wait()
        except TimeoutError:
            return

    def _request(self, of: UUID) -> Asked:
        self._people += 1
        address = f"p{self._people}.{self._mark}@example.org"
        body = {
            "workshop_id": str(of),
            "attendance": "in_person",
            "person": {"name": f"Laia {self._people}", "email": address, "language": "ca"},
            "organisation": ORGANISATION,
            "accepts": ["privacy"],
            "groups": [],
        }
        return Asked(of, address, str(UUID(int=self._luck.getrandbits(128), version=4)), body, time.monotonic())

    def _event(self, asked: Asked) -> tuple[Headers, bytes]:
        headers = [
            ("ce_specversion", b"1.0"),
            ("ce_id", asked.key.encode()),
            ("ce_type", b"enrolment.requested"),
            ("ce_source", f"/publishers/{PUBLISHER}".encode()),
            ("ce_subject", str(asked.workshop).encode()),
            ("ce_time", datetime.now(UTC).isoformat().encode()),
            ("content-type", b"application/json"),
        ]
        return headers, json.dumps(asked.body).encode()
