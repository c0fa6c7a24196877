"""Ways of handing mails over that are as slow as a test needs them to be."""

import asyncio
import random
from dataclasses import dataclass, field

from services.notifications.clients import SmtpPost
from services.notifications.settings import SmtpServer
from tests.operations.notifications.conftest import House

CHANCE = random.Random(7)  # noqa: S311 - the same turns in each run


@dataclass
class SlowPost:
    """Takes mails, but is slow to say so."""

    post: SmtpPost
    may_answer: asyncio.Event = field(default_factory=asyncio.Event)
    took: int = 0

    async def hand_over(self, sender: str, recipient: str, content: bytes) -> None:
        """Take it, and return when it may."""
        await self.post.hand_over(sender, recipient, content)
        self.took += 1
        await self.may_answer.wait()

    async def close(self) -> None:
        """Let go."""
        await self.post.close()

    async def has_taken(self) -> bool:
        """Tell whether a mail is on its way."""
        return self.took > 0


def slow(house: House) -> SlowPost:
    """Give one that hands over to the house's mail server."""
    return SlowPost(SmtpPost(SmtpServer("127.0.0.1", house.room.port, "smtp")))


@dataclass
class UnevenPost:
    """Takes mails as fast or as slowly as the database takes a statement, as chance will have it; keeps count."""

    taken: list[bytes] = field(default_factory=list)

    async def hand_over(self, _sender: str, _recipient: str, content: bytes) -> None:
        """Take it."""
        await asyncio.sleep(CHANCE.random() * 0.01)
        self.taken.append(content)

    async def close(self) -> None:
        """Let go."""
