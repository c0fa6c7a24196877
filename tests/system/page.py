"""The page for other systems, whose examples are run as they stand there."""

import asyncio
import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.deploy.running import surroundings

PAGE = Path(__file__).parents[2] / "deploy" / "outside.md"
_BLOCK = re.compile(r"^```(?P<language>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


def example(language: str, holding: str) -> str:
    """Give the one example of a language in which something stands."""
    blocks = _BLOCK.finditer(PAGE.read_text(encoding="utf-8"))
    (one,) = (each["text"] for each in blocks if each["language"] == language and holding in each["text"])
    return one


def lay_out(folder: Path, file: str, printed: str) -> dict[str, str]:
    """Put what the page's reader has into a folder; answers what they have in variables."""
    (folder / file).write_text(printed, encoding="utf-8")
    (folder / "spring.json").write_text(example("json", "spring-2041"), encoding="utf-8")
    told: dict[str, Any] = json.loads(printed)
    named = {name.upper(): told.get(name) for name in ("topic", "source", "token")}
    named |= {name.upper(): told["kafka"][name] for name in ("servers", "security", "username", "password")}
    return {name: value or "" for name, value in named.items()}


async def run(language: str, holding: str, folder: Path, variables: Mapping[str, str]) -> str:
    """Run an example in a folder until it ends; answers what it printed, and fails where it fails."""
    running = await _start(language, holding, folder, variables)
    out, err = await running.communicate()
    assert running.returncode == 0, err.decode() + out.decode()
    return out.decode()


async def first_line(language: str, holding: str, folder: Path, until: str) -> str:
    """Run an example until it prints a line with `until` in it, and end it."""
    running = await _start(language, holding, folder, {})
    assert running.stdout is not None
    try:
        async for line in running.stdout:
            if until in line.decode():
                return line.decode().strip()
    finally:
        if running.returncode is None:
            running.kill()
        _, err = await running.communicate()
    raise AssertionError(err.decode())


async def _start(language: str, holding: str, folder: Path, variables: Mapping[str, str]) -> asyncio.subprocess.Process:
    command: Sequence[str] = {"python": (sys.executable, "-c"), "sh": ("sh", "-euc")}[language]
    return await asyncio.create_subprocess_exec(
        *command,
        example(language, holding),
        cwd=folder,
        env=surroundings(**variables),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
