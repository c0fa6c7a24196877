"""What was measured of the deployments here, said at the end."""

import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from tests.brokers import require_engine
from tests.compose.deployed import Deployed
from tests.compose.running import deployed

MEASURED = pytest.StashKey[list[tuple[str, str]]]()
Deploying = Callable[..., AbstractAsyncContextManager[Deployed]]


@pytest.fixture(scope="session")
def deploying(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Deploying:
    """Give what makes a deployment with an overlay, for as long as a block lasts."""
    require_engine()

    @asynccontextmanager
    async def made(
        overlay: str, bring: Callable[[Path], None] = lambda _: None, **settings: str
    ) -> AsyncIterator[Deployed]:
        folder = tmp_path_factory.mktemp(overlay)
        async with deployed(folder, f"convoca-{overlay}-{os.getpid()}", (overlay,), bring, **settings) as running:
            try:
                yield running
            finally:
                timed = [(f"{overlay}: {what}", value) for what, value in running.deployment.timed]
                pytestconfig.stash.setdefault(MEASURED, []).extend(timed)

    return made


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print what was measured."""
    if measured := config.stash.get(MEASURED, None):
        terminalreporter.section("overlays, measured")
        for what, value in measured:
            terminalreporter.write_line(f"{what:60} {value}")
