"""A new stack's databases and topics, made ready in a process of its own: `python -m deploy.embedded.preparing`.

What this needs is not loaded by `convoca up`, which has better to do then, but by the forkserver.
"""

import asyncio
import json
import os
from collections.abc import Mapping

from deploy import prepare


def main() -> None:
    """Bring all to where the services expect it; the environment tells where it is."""
    asyncio.run(_prepare(json.loads(os.environ["CONVOCA_DATABASES"]), os.environ["CONVOCA_KAFKA_SERVERS"]))


async def _prepare(databases: Mapping[str, str], servers: str) -> None:
    await prepare.migrate(databases)
    await prepare.make_topics(prepare.plain_kafka(servers), databases)


if __name__ == "__main__":
    main()
