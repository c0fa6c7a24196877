"""Which lines of constraints.txt an image needs: `python pick.py REQUIREMENTS... < constraints.txt > picked.txt`.

pip takes hashes from a list of requirements only, not from constraints. So it is asked first what the requirements
come to under the constraints, and gets then exactly those lines of them, with their hashes.
"""

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path


def main() -> None:
    """Write the pinned lines; what is not in the constraints ends the build."""
    lines = sys.stdin.read()
    pinned = {normal(entry.partition("==")[0]): entry for entry in entries(lines)}
    with tempfile.TemporaryDirectory() as folder:
        bare, report = Path(folder, "constraints.txt"), Path(folder, "report.json")
        bare.write_text("\n".join(entry.partition(" \\")[0] for entry in pinned.values()), encoding="utf-8")
        asked = [option for path in sys.argv[1:] for option in ("--requirement", path)]
        subprocess.run(  # noqa: S603 - what the Dockerfile names
            [
                *(sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed"),
                *("--only-binary", ":all:", "--constraint", str(bare), "--report", str(report), *asked),
            ],
            check=True,
        )
        found = json.loads(report.read_bytes())["install"]
    sys.stdout.writelines(f"{pinned[normal(each['metadata']['name'])]}\n" for each in found)


def entries(lines: str) -> list[str]:
    """Give each requirement with its hashes."""
    return [entry for entry in re.split(r"\n(?=\S)", lines.strip()) if not entry.startswith("#")]


def normal(name: str) -> str:
    """Write a name as all spell it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    main()
