"""The SMTP side: a mail is on the disk before its sender hears 250."""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime

from aiosmtpd.smtp import SMTP, Envelope, Session

from deploy.mailcatcher.store import Store

log = logging.getLogger(__name__)
LARGEST = 33_554_432


class Receiver:
    """Takes what is sent to anybody."""

    def __init__(self, store: Store, clock: Callable[[], datetime]) -> None:
        """Keep mails in `store`."""
        self._store = store
        self._clock = clock

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's
        """Keep one mail for each recipient."""
        content = envelope.content or b""
        if isinstance(content, str):
            content = content.encode("utf-8", "surrogateescape")
        try:
            await self._store.keep(envelope.rcpt_tos, content, self._clock())
        except OSError as error:
            log.warning("a mail could not be kept: %s", error.strerror)
            return "451 4.3.0 The mail cannot be kept now; try again later"
        return "250 2.0.0 Kept"


async def listen(receiver: Receiver, host: str, port: int) -> asyncio.Server:
    """Take mails at an address until the server is closed."""

    def protocol() -> SMTP:
        return SMTP(receiver, hostname="localhost", ident="Convoca", enable_SMTPUTF8=True, data_size_limit=LARGEST)

    return await asyncio.get_running_loop().create_server(protocol, host, port)
