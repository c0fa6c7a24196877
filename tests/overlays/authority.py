"""A certificate for Kafka from an authority of one's own, made by the very commands that deploy/README.md shows."""

import re
import subprocess
from pathlib import Path

from tests.deploy.compose_file import PROJECT

EXAMPLE = re.compile(r"^```sh\n(openssl .*?)^```", re.MULTILINE | re.DOTALL)
NAMED = "kafka.example.org"


def bring(folder: Path) -> None:
    """Put certificate, key and authority into a deployment's folder, for a broker at localhost."""
    (commands,) = EXAMPLE.findall((PROJECT / "deploy" / "README.md").read_text(encoding="utf-8"))
    assert NAMED in commands
    ran = subprocess.run(
        ["/bin/bash", "-euc", commands.replace(NAMED, "localhost")],
        cwd=folder,
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ran.returncode == 0, ran.stderr
