"""The parts that tests of the deployment run on."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.deploy.running import Catcher, Up, convoca_here, free_port

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def catcher(tmp_path: Path) -> Iterator[Catcher]:
    """Run a mail catcher."""
    running = Catcher(tmp_path / "mails")
    yield running
    running.kill()


@pytest.fixture(scope="package")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """Run `convoca up` for the tests that leave it running."""
    running = Up(tmp_path_factory.mktemp("stack"), free_port())
    running.ready()
    yield running
    running.stop()


@pytest.fixture
def command(stack: Up, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Give what runs a command on the stack, in this process: `command("token", "revoke", "x")`."""
    return partial(convoca_here, monkeypatch, folder=stack.folder)
