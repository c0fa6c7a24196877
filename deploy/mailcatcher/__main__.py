"""The mail catcher as a process: `python -m deploy.mailcatcher --folder DIR --smtp HOST:PORT --http …`."""

import argparse
import asyncio
from pathlib import Path

import uvicorn

from deploy.mailcatcher.pages import application
from deploy.mailcatcher.reading import Mailbox
from deploy.mailcatcher.smtp import Receiver, listen
from deploy.mailcatcher.store import Store, now


def address(text: str) -> tuple[str, int]:
    """Read `host:port`."""
    host, _, port = text.rpartition(":")
    return host, int(port)


async def run(folder: Path, smtp: tuple[str, int], http: tuple[str, int]) -> None:
    """Take and show mails until SIGTERM or SIGINT."""
    store = Store(folder)
    server = await listen(Receiver(store, now), *smtp)
    host, port = http
    config = uvicorn.Config(
        application(Mailbox(store)),
        host=host,
        port=port,
        lifespan="off",
        ws="none",
        access_log=False,
        log_level="warning",
        timeout_graceful_shutdown=1,
        proxy_headers=False,
    )
    try:
        await uvicorn.Server(config).serve()
    finally:
        server.close()


def main() -> None:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(prog="python -m deploy.mailcatcher", description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--smtp", type=address, required=True)
    parser.add_argument("--http", type=address, required=True)
    given = parser.parse_args()
    asyncio.run(run(given.folder, given.smtp, given.http))


if __name__ == "__main__":
    main()
