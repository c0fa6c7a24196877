"""A whole deployment for as long as a block lasts: images, `init`, `up`, a token; and nothing left of it afterwards."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from tests.compose.deployed import OUT_OF_REACH, Deployed
from tests.compose.deployment import Deployment
from tests.deploy.running import PROJECT
from tests.system.running import client


@asynccontextmanager
async def deployed(
    folder: Path,
    project: str,
    overlays: tuple[str, ...] = (),
    bring: Callable[[Path], None] = lambda _: None,
    parts: tuple[str, ...] = (),
    source: Path = PROJECT,
    **settings: str,
) -> AsyncIterator[Deployed]:
    """Make a deployment in `folder` as the README's first hour does, and give it with a token of staff.

    `settings` take the place of what is in its .env; `bring` puts into the folder what the office brings itself; of
    all services only `parts` are started, where some are named. The images are those of the checkout, or of the
    project's files in `source`; they stay.
    """
    told = {"CONVOCA_RATE_LIMIT": "off", **settings}
    deployment = Deployment(folder, project, settings=told, overlays=overlays, source=source)
    deployment.settings["CONVOCA_HTTPS_PORT"] = str(deployment.secure_port)
    await deployment.timing("images built", "build")
    since = time.monotonic()
    (await deployment.run("init", "--url", deployment.url)).well()
    deployment.note("init", since)
    bring(folder)
    try:
        await deployment.timing("up, until all is healthy", "up", "--detach", "--wait", *parts)
        async with client(deployment.url) as http:
            stack = Deployed(deployment.url, OUT_OF_REACH, http, folder, deployment=deployment)
            token = await stack.convoca("token", "create", "--scope", "staff", "--name", "journeys")
            stack.staff = {"Authorization": f"Bearer {token.strip()}"}
            yield stack
    except BaseException:
        print((await deployment.compose("logs", "--no-color", "--tail", "60")).out)  # noqa: T201 - pytest shows it
        raise
    finally:
        await deployment.compose("--profile", "*", "down", "--volumes", "--remove-orphans", "--timeout", "20")
