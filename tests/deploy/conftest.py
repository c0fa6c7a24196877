"""What the tests of the deployment start: real processes, waited for by condition and ended afterwards."""

import json
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

PATIENCE = 30.0
Until = Callable[[Callable[[], object]], None]


def until(condition: Callable[[], object], seconds: float = PATIENCE) -> None:
    """Wait until a condition holds; fails where it does not within `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come about"
        time.sleep(0.02)


def free_port() -> int:
    """Give a port that nobody listens on."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


def get(url: str) -> tuple[int, str]:
    """GET a page; 0 where nobody answers."""
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()
    except OSError:
        return 0, ""


class Catcher:
    """A mail catcher on a folder; it can be killed and started again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.start()

    def start(self) -> None:
        """Start it and wait until it serves."""
        self.smtp, self.http = free_port(), free_port()
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "deploy.mailcatcher", "--folder", str(self.folder)),
                *("--smtp", f"127.0.0.1:{self.smtp}", "--http", f"127.0.0.1:{self.http}"),
            ]
        )
        until(lambda: get(f"{self.url}/mailbox")[0] == 200)

    @property
    def url(self) -> str:
        """Where its pages are."""
        return f"http://127.0.0.1:{self.http}"

    def mails(self, after: int = 0) -> list[dict[str, object]]:
        """Give the mails after a number."""
        status, body = get(f"{self.url}/mailbox.json?after={after}")
        assert status == 200
        mails: list[dict[str, object]] = json.loads(body)
        return mails

    def kill(self) -> None:
        """End it as a crash does."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """End it politely."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(10)


@pytest.fixture
def catcher(tmp_path: Path) -> Iterator[Catcher]:
    """Run a mail catcher."""
    running = Catcher(tmp_path / "mails")
    yield running
    running.kill()
