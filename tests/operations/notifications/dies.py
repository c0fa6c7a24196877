"""A sender in a process of its own that is killed between SMTP's acceptance and the mark."""

import asyncio
import os
import signal
import sys

from services.notifications.clients import SmtpPost
from services.notifications.sender import Sender
from services.notifications.settings import SmtpServer
from shared.database import Database
from shared.runtime import Clock
from tests.clock import HandClock
from tests.operations.notifications.conftest import CATALOGUES, make_paper


class LastPost(SmtpPost):
    """Hands one mail over, and that is the end of the process."""

    async def hand_over(self, sender: str, recipient: str, content: bytes) -> None:
        """Never return."""
        await super().hand_over(sender, recipient, content)
        os.kill(os.getpid(), signal.SIGKILL)


async def main(database_url: str, smtp_port: int) -> None:
    """Send what is due, as far as it comes to that."""
    database = Database(database_url, "notifications")
    post = LastPost(SmtpServer("127.0.0.1", smtp_port, "smtp"))
    clock: Clock = HandClock()
    await Sender(database, clock, post, make_paper(), CATALOGUES, asyncio.Event()).drain()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
