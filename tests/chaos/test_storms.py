"""Short storms over the whole system: whatever goes wrong at once, every promise is kept and everything drains."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.chaos import storm, world
from tests.chaos.world import World

SECONDS = 6.0


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def whole(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """Give the whole system, two of each service, on the parts of this run but with ground of its own to shake."""
    async with world.running(tmp_path_factory.mktemp("storm"), request.config.getoption("--parts")) as running:
        yield running


@pytest.mark.parametrize("seed", [4, 11])
async def test_a_storm_loses_nothing_doubles_nothing_and_keeps_every_order(whole: World, seed: int) -> None:
    account = await storm.rage(whole, seed, SECONDS)
    assert account.wrong == []
    assert account.faults.total() >= 3
    assert account.findings.enrolments > 0
