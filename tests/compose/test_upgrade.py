"""A deployment goes from an earlier release to this one and back, while people enrol: deploy/README.md, "Upgrade"."""

import os
import time
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from shared import migrations
from shared.events.topics import SERVICES
from tests.brokers import require_engine
from tests.compose.account import catcher_of, containers_of, counted, everything_is_true_of
from tests.compose.deployed import Deployed
from tests.compose.load import Load, under_load
from tests.compose.releases import before_the_newest_migration, lay
from tests.compose.running import deployed
from tests.compose.waiting import before_long
from tests.system.offers import workshop

BEFORE = "before"
"""The tag of the earlier release's images; the next run writes over it."""
BESIDE = ("up", "--detach", "--wait", "--no-deps", "--no-recreate")
GROUP = 4
REQUESTS = "convoca_http_request_seconds_count"
SERVED = {
    "catalogue": REQUESTS + '{method="GET",route="/workshops/{key}",status="200"}',
    "registration": REQUESTS + '{method="POST",route="/api/registration/enrolments",status="201"}',
    "notifications": "convoca_events_total",
}
"""What says of each service that it works for those who enrol."""
Container = dict[str, Any]


@pytest.fixture(scope="module")
def earlier() -> str:
    """Name the commit from which the deployment comes."""
    return before_the_newest_migration()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def old(
    earlier: str, tmp_path_factory: pytest.TempPathFactory, measured: list[tuple[str, str]]
) -> AsyncIterator[Deployed]:
    """Give a running deployment of the earlier release, made by its own first hour."""
    require_engine()
    folder, source = tmp_path_factory.mktemp("upgraded"), tmp_path_factory.mktemp("source")
    lay(earlier, source)
    async with deployed(folder, f"convoca-upgrade-{os.getpid()}", source=source, CONVOCA_VERSION=BEFORE) as stack:
        # What later releases ask of the folder and `init` of then did not make: as deploy/README.md says.
        (folder / "backups").mkdir(exist_ok=True)
        try:
            yield stack
        finally:
            measured.extend((f"upgrade: {what}", value) for what, value in stack.deployment.timed)


async def test_both_releases_serve_side_by_side_and_nothing_is_lost_either_way(old: Deployed, earlier: str) -> None:
    stack, deployment = old, old.deployment
    newest = {service: migrations.revisions(service)[0] for service in SERVICES}
    behind = await revisions(stack)
    assert behind != newest, "no migration lies between the two releases"
    offered, catcher = await stack.offer(workshop(seats={"in_person": 5000})), await catcher_of(stack)
    lay(None, deployment.source)
    del deployment.settings["CONVOCA_VERSION"]
    await deployment.timing("the newer release's images built", "build")
    async with under_load(stack, offered, groups_of=GROUP) as load:
        await load.another(20)
        since = time.monotonic()
        (await deployment.run("migrate")).well()
        assert await revisions(stack) == newest
        assert await images(stack) == [{BEFORE}] * 3
        await load.another(20)  # of whom the older release writes down what the newer schema keeps
        await side_by_side(load)
        deployment.note("from migrate until old and new have both served", since)
        (await deployment.compose("up", "--detach", "--wait")).well()
        deployment.note("from migrate until only the new are there, and the front door is new", since)
        (only,) = {version for versions in await images(stack) for version in versions}
        assert only != BEFORE
        await load.another(20)

        lay(earlier, deployment.source)
        deployment.settings["CONVOCA_VERSION"] = BEFORE
        since = time.monotonic()
        assert (await deployment.run("migrate")).code != 0, "an older release migrates what it does not know"
        await side_by_side(load)
        (await deployment.compose("up", "--detach", "--wait", "--no-deps", *SERVICES, "caddy")).well()
        deployment.note("back to the older release, until only it is there", since)
        assert await images(stack) == [{BEFORE}] * 3
        assert await revisions(stack) == newest
        await load.another(20)
    await everything_is_true_of(load, catcher)
    assert await told_by_all(stack, "SELECT count(*) FROM dead_letters") == dict.fromkeys(SERVICES, 0)


async def side_by_side(load: Load) -> None:
    """Start a container of the release that is laid out beside each that runs, and wait until both have served."""
    stack = load.stack
    for service in SERVICES:
        (await stack.deployment.compose(*BESIDE, "--scale", f"{service}=2", service)).well()
    both = {service: await containers_of(stack, service) for service in SERVICES}
    assert [len(versions) for versions in await images(stack)] == [2, 2, 2]
    began = await served(stack, both)
    waited_for: list[str] = []

    async def each_has_served() -> bool:
        idle = [name for name, done in (await served(stack, both)).items() if done == began[name]]
        if idle != waited_for:
            print("has not served yet beside the other release:", *idle)  # noqa: T201 - pytest shows it where it fails
            waited_for[:] = idle
        return not idle

    await before_long(each_has_served, "each container of both releases to have served while both were there")


async def served(stack: Deployed, containers: dict[str, list[Container]]) -> dict[str, float]:
    """Tell how much each container has done for those who enrol."""
    return {
        str(each["Name"]): await counted(stack, each, service, SERVED[service])
        for service, those in containers.items()
        for each in those
    }


async def images(stack: Deployed) -> list[set[str]]:
    """Give the tags of the images that each service runs from."""
    return [
        {str(each["Config"]["Image"]).rpartition(":")[2] for each in await containers_of(stack, service)}
        for service in SERVICES
    ]


async def revisions(stack: Deployed) -> dict[str, str]:
    """Give the revision of each service's database."""
    return await told_by_all(stack, "SELECT version_num FROM alembic_version")


async def told_by_all(stack: Deployed, query: str) -> dict[str, Any]:
    """Ask each service's database for a value."""
    server = await stack.deployment.address("postgres", "stores")
    found = {}
    for service in SERVICES:
        url = _secret(stack, f"{service}_database_url").replace("@postgres:", f"@{server}:")
        connection = await asyncpg.connect(url)
        found[service] = await connection.fetchval(query)
        await connection.close()
    return found


def _secret(stack: Deployed, name: str) -> str:
    return (stack.deployment.folder / "secrets" / name).read_text(encoding="utf-8").strip()
