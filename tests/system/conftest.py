"""One whole system for all journeys; each test makes its own workshops and people on it."""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from tests.brokers import Parts
from tests.collector import Collector, collecting
from tests.system import running
from tests.system.stack import Stack

LAST = "test_afterwards"
"""What looks back on all journeys."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Have the tests that look back on the others run after them."""
    items.sort(key=lambda item: LAST in item.nodeid)


@pytest.fixture(scope="package")
def containers(request: pytest.FixtureRequest) -> Parts | None:
    """Give Apache Kafka and PostgreSQL where the run is on them; else none are started, `convoca up` has its own."""
    if request.config.getoption("--parts") == "embedded":
        return None
    parts: Parts = request.getfixturevalue("parts")
    return parts


@pytest.fixture(scope="package")
def collector() -> Iterator[Collector]:
    """Give what takes the traces of all journeys."""
    with collecting() as one:
        yield one


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def stack(
    containers: Parts | None, tmp_path_factory: pytest.TempPathFactory, collector: Collector
) -> AsyncIterator[Stack]:
    """Give the whole system, with a token of staff; its traces go to `collector`."""
    root = tmp_path_factory.mktemp("system")
    started = running.on_containers(containers, root, collector) if containers else running.embedded(root, collector)
    async with started as whole:
        token = await whole.convoca("token", "create", "--scope", "staff", "--name", "journeys")
        whole.staff = {"Authorization": f"Bearer {token.strip()}"}
        yield whole
