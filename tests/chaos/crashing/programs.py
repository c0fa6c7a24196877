"""What is killed: a relay, a consumer and a sender at work, each a process of its own on real parts."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection

from sqlalchemy import text

from services.notifications.clients import SmtpPost
from services.notifications.sender import Sender
from services.notifications.settings import SmtpServer
from shared.database import Database, Transaction
from shared.events.registration import OrganisationRegistered
from shared.events.topics import Topic
from shared.messaging.follow import Followers
from shared.runtime import Service
from shared.settings import ServiceSettings
from tests.chaos.crashing.steps import Steps
from tests.clock import HandClock
from tests.operations.notifications.conftest import CATALOGUES, make_paper
from tests.transport.conftest import KEY, OFFICE

END = "the end"
SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Ground:
    """What a program works on: its database, its broker, streams of its own, a mail server."""

    database_url: str
    kafka_servers: str
    heard: str = ""
    said: str = ""
    smtp_port: int = 0

    def service(self, *, follows: bool) -> Service:
        """Make the service whose consumer answers each record that is `heard` with a row and a word that is `said`."""
        settings = ServiceSettings(
            kafka_servers=self.kafka_servers,
            kafka_session_seconds=1,
            kafka_fetch_wait_ms=40,
            database_url=self.database_url,
            public_url="http://127.0.0.1",
            secret_key=KEY,
            office=OFFICE,
        )
        return Service("registration", settings, followers=self._followers() if follows else None)

    def _followers(self) -> Followers:
        follow = Followers("registration", group=f"registration.{self.heard}")

        @follow(Topic(self.heard), events=OrganisationRegistered)
        async def echo(event: OrganisationRegistered, tx: Transaction) -> None:
            await tx.session.execute(text("INSERT INTO effects (name) VALUES (:name)"), {"name": event.name})
            tx.emit(event, key=event.organisation_id, sequence=1, topic=Topic(self.said))

        return follow


Program = Callable[[Ground, Steps], Awaitable[None]]


async def relay(ground: Ground, _steps: Steps) -> None:
    """Send what lies in the outbox."""
    service = ground.service(follows=False)
    async with service.running():
        await service.relay.drain(SECONDS)


async def consume(ground: Ground, steps: Steps) -> None:
    """Take what lies on the stream, until it is acknowledged."""
    async with asyncio.timeout(SECONDS), ground.service(follows=True).running():
        await steps.acknowledged.wait()


async def send(ground: Ground, _steps: Steps) -> None:
    """Send the mails that are owed."""
    database = Database(ground.database_url, "notifications")
    post = SmtpPost(SmtpServer("127.0.0.1", ground.smtp_port, "smtp"))
    sender = Sender(database, HandClock(), post, make_paper(), CATALOGUES, asyncio.Event())
    async with asyncio.timeout(SECONDS):
        await sender.drain()


def run(program: Program, ground: Ground, told: "Connection[str, str]", fatal: str | None) -> None:
    """Be that process; its last step is the end of its work."""

    async def work() -> None:
        steps = Steps(told, fatal)
        steps.watch()
        await program(ground, steps)
        steps.reach(END)

    asyncio.run(work())
