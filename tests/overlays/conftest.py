"""A deployment with an overlay, for as long as a block lasts; what was measured of each is said at the end."""

import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from tests.brokers import require_engine
from tests.compose.deployed import Deployed
from tests.compose.running import deployed
from tests.deploy.running import PROJECT

MEASURED = pytest.StashKey[list[tuple[str, str]]]()
Deploying = Callable[..., AbstractAsyncContextManager[Deployed]]


@pytest.fixture(scope="session")
def deploying(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Deploying:
    """Give what makes one; its arguments are those of `deployed`, and the overlay comes first."""
    require_engine()

    @asynccontextmanager
    async def made(
        overlay: str,
        bring: Callable[[Path], None] = lambda _: None,
        parts: tuple[str, ...] = (),
        **settings: str,
    ) -> AsyncIterator[Deployed]:
        folder, project = tmp_path_factory.mktemp(overlay), f"convoca-{overlay}-{os.getpid()}"
        async with deployed(folder, project, (overlay,), bring, parts, PROJECT, **settings) as stack:
            try:
                yield stack
            finally:
                timed = [(f"{overlay}: {what}", value) for what, value in stack.deployment.timed]
                pytestconfig.stash.setdefault(MEASURED, []).extend(timed)

    return made


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print what was measured."""
    if measured := config.stash.get(MEASURED, None):
        terminalreporter.section("overlays, measured")
        for what, value in measured:
            terminalreporter.write_line(f"{what:80} {value}")
