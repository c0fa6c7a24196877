"""Rows `start` and `memory`: `convoca up` on a new folder, until all is ready; and what the services then hold."""

import asyncio
import json
import signal
import sys
import time
from pathlib import Path

from shared.events.topics import SERVICES
from tests.bench import figures
from tests.bench.figures import Figure
from tests.bench.ground import megabytes

MOST_SECONDS = 5.0
MOST_MEGABYTES = 120.0
SECONDS_TO_REST = 5.0
CONVOCA = str(Path(sys.executable).with_name("convoca"))


async def stack(root: Path, runs: int, *, quick: bool) -> list[Figure]:
    """Start it anew so many times; of each start, the seconds to its ready line and the largest service at rest."""
    seconds, memory = [], []
    for number in range(runs):
        folder = root / f"up-{number}"
        began = time.perf_counter()
        process = await asyncio.create_subprocess_exec(
            *(CONVOCA, "up", "--data", str(folder), "--port", "0"),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            if process.stdout is None or not await asyncio.wait_for(process.stdout.readline(), 60):
                raise RuntimeError("`convoca up` ended before it was ready")
            seconds.append(time.perf_counter() - began)
            await asyncio.sleep(1.0 if quick else SECONDS_TO_REST)
            pids = json.loads((folder / "stack.json").read_bytes())["processes"]
            memory.append(max(megabytes(pids[service]) for service in SERVICES))
        finally:
            if process.returncode is None:
                process.send_signal(signal.SIGTERM)
            await process.wait()
    return [
        figures.ceiling("start", seconds, MOST_SECONDS, "s", "`convoca up` on a new folder to its ready line"),
        figures.ceiling("memory", memory, MOST_MEGABYTES, "MB", "the largest of the three services, at rest"),
    ]
