"""One deployment for all tests here, and what was measured of it, said at the end."""

import json
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.brokers import require_engine
from tests.compose.deployed import Deployed
from tests.compose.deployment import LASTING, docker
from tests.compose.running import deployed

MEASURED = pytest.StashKey[list[tuple[str, str]]]()
HERE = Path(__file__).parent
FIRST = "test_upgrade"
LAST = ("test_kills", "test_restore", "test_ending")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Have those run last that break things, and at the very end the one that stops all; then what others collected.

    The one that has a deployment of its own runs before there is the other: two are too much for a small machine.
    """

    def place(item: pytest.Item) -> int:
        if not item.path.is_relative_to(HERE):
            return len(LAST) + 1
        if FIRST in item.nodeid:
            return -1
        return max((number + 1 for number, name in enumerate(LAST) if name in item.nodeid), default=0)

    items.sort(key=place)


@pytest.fixture(scope="session")
def measured(pytestconfig: pytest.Config) -> list[tuple[str, str]]:
    """Give what is said at the end, to be added to."""
    return pytestconfig.stash.setdefault(MEASURED, [])


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def stack(tmp_path_factory: pytest.TempPathFactory, measured: list[tuple[str, str]]) -> AsyncIterator[Deployed]:
    """Give the running deployment."""
    require_engine()
    folder = tmp_path_factory.mktemp("deployment")
    async with deployed(folder, f"convoca-test-{os.getpid()}") as running:
        deployment = running.deployment
        names = [each["Name"] for each in (await deployment.containers()).values() if each["Service"] in LASTING]
        shown = (await docker("stats", "--no-stream", "--format", "json", *names)).well()
        for each in map(json.loads, shown.splitlines()):
            name = each["Name"].removeprefix(f"{deployment.project}-").removesuffix("-1")
            deployment.timed.append(
                (f"nothing to do: {name}", f"{each['MemUsage'].partition(' /')[0]}, {each['CPUPerc']}")
            )
        try:
            yield running
        finally:
            measured.extend(deployment.timed)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print what was measured."""
    if measured := config.stash.get(MEASURED, None):
        terminalreporter.section("the deployment, measured")
        for what, value in measured:
            terminalreporter.write_line(f"{what:80} {value}")
