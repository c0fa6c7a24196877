"""A deployment by docker-compose.yml, in a folder and under a name of its own, as an operator handles it."""

import asyncio
import json
import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deploy.embedded.folder import LOOPBACK
from tests.deploy.compose_file import BASE, file_of
from tests.deploy.running import PROJECT, free_port

OURS = ("catalogue", "registration", "notifications")
LONGEST = 900.0
"""Seconds after which a command is given up: building all images takes a small machine some minutes."""
LASTING = ("postgres", "kafka", *OURS, "caddy")


@dataclass(frozen=True, slots=True)
class Ran:
    """What became of a command."""

    code: int
    out: str
    err: str

    def well(self) -> str:
        """Give what it wrote for machines; fails where it failed."""
        assert self.code == 0, self.err[-4000:]
        return self.out


@dataclass
class Deployment:
    """`docker compose` on one deployment; `timed` has what was measured of it, in the order in which it was.

    `source` has the project's files that it is deployed from: those that are checked out, where nothing else is said.
    """

    folder: Path
    project: str
    port: int = field(default_factory=free_port)
    secure_port: int = field(default_factory=free_port)
    settings: dict[str, str] = field(default_factory=dict)
    overlays: tuple[str, ...] = ()
    source: Path = PROJECT
    timed: list[tuple[str, str]] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Where its front door is."""
        return f"http://{LOOPBACK}:{self.port}"

    async def compose(self, *arguments: str, given: str | None = None) -> Ran:
        """Run `docker compose` with these arguments; `given` comes on its standard input."""
        settings = self.folder / ".env"
        named = ["--env-file", str(settings)] if settings.exists() else []
        named += [part for file in (BASE, *map(file_of, self.overlays)) for part in ("--file", file)]
        running = await asyncio.create_subprocess_exec(
            *("docker", "compose", *named, "--progress", "quiet", *arguments),
            cwd=self.source,
            env=self._surroundings(),
            stdin=asyncio.subprocess.PIPE if given is not None else asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(LONGEST):
                out, err = await running.communicate(None if given is None else given.encode())
        except TimeoutError:
            running.terminate()
            out, err = await running.communicate()
        return Ran(running.returncode or 0, out.decode(), err.decode())

    async def run(self, service: str, *arguments: str, options: tuple[str, ...] = (), given: str | None = None) -> Ran:
        """Run a command in a container of its own, as `docker compose run --rm`."""
        return await self.compose("run", "--rm", "-T", *options, service, *arguments, given=given)

    async def timing(self, what: str, *arguments: str) -> None:
        """Run `docker compose` and note how long it took."""
        since = time.monotonic()
        (await self.compose(*arguments)).well()
        self.note(what, since)

    def note(self, what: str, since: float) -> None:
        """Note how long ago something began."""
        self.timed.append((what, f"{time.monotonic() - since:.1f} s"))

    async def containers(self) -> dict[str, dict[str, Any]]:
        """Give what the engine knows of the containers that run, by service."""
        shown = (await self.compose("ps", "--all", "--format", "json")).well()
        return {each["Service"]: each for each in map(json.loads, shown.splitlines())}

    async def inspect(self, service: str) -> dict[str, Any]:
        """Give all that the engine knows of a service's container."""
        name = (await self.containers())[service]["Name"]
        found: list[dict[str, Any]] = json.loads((await docker("inspect", name)).well())
        return found[0]

    async def address(self, service: str, network: str) -> str:
        """Give the address at which this machine, whose bridges they hang on, reaches a container."""
        networks = (await self.inspect(service))["NetworkSettings"]["Networks"]
        return str(networks[f"{self.project}_{network}"]["IPAddress"])

    async def kill(self, service: str) -> None:
        """Let a container's program die as by a fault of its own, so that the engine starts it again.

        What is killed by the engine's own command stays down, for then somebody wanted it so.
        """
        number = (await self.inspect(service))["State"]["Pid"]
        image = (await self.inspect("catalogue"))["Config"]["Image"]
        ending = f"import os; os.kill({number}, 9)"
        alone = ("--pid=host", "--network=none", "--user=0:0", "--cap-drop=ALL", "--cap-add=KILL")
        (await docker("run", "--rm", *alone, image, "python", "-c", ending)).well()

    async def healthy(self, service: str, restarts: int) -> bool:
        """Tell whether a container has been started again so many times and is well."""
        about = await self.inspect(service)
        health = about["State"].get("Health", {}).get("Status")
        return bool(about["RestartCount"] >= restarts and health == "healthy")

    def _surroundings(self) -> dict[str, str]:
        ours = ("CONVOCA_", "COMPOSE_")
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith(ours)},
            "COMPOSE_PROJECT_NAME": self.project,
            "CONVOCA_FOLDER": str(self.folder),
            **self.settings,
        }


async def docker(*arguments: str, given: str | None = None) -> Ran:
    """Run the engine's own command; `given` comes on its standard input."""
    running = await asyncio.create_subprocess_exec(
        *("docker", *arguments),
        stdin=asyncio.subprocess.PIPE if given is not None else asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await running.communicate(None if given is None else given.encode())
    return Ran(running.returncode or 0, out.decode(), err.decode())
