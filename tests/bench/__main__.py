"""`python -m tests.bench`: measure the rows, show them, write build/bench.json."""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from tests.bench import bus, figures, ground, posts
from tests.bench.figures import REACH, Figure
from tests.bench.stack import stack

RUNS = 3
TARGET = Path(__file__).parents[2] / "build" / "bench.json"
MEASURES = {
    ("bus", "bus-textbook"): bus.bus,
    ("poison",): bus.poison,
    ("post-many",): posts.post_many,
    ("post-rush",): posts.post_rush,
    ("mail-p50", "mail-p99"): posts.mail,
    ("backlog",): bus.backlog,
}
STACK = ("start", "memory")


async def measure(names: Sequence[str], broker: ground.Broker, runs: int, *, quick: bool) -> list[Figure]:
    """Measure the rows of those names, in the table's order; `stack` has its own broker whatever is said."""
    found: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="convoca-bench-") as folder:
        if wanted := [each for rows, each in MEASURES.items() if set(rows) & set(names)]:
            async with ground.standing(Path(folder) / "ground", broker) as standing:
                for each in wanted:
                    found += await each(standing, runs, quick=quick)
                    _say(found[-1])
        if set(STACK) & set(names):
            found += await stack(Path(folder), runs, quick=quick)
    return [each for each in found if each.name in names]


def _say(figure: Figure) -> None:
    sys.stderr.write(f"{figure.name}: {figure.value:.4g} {figure.unit}, ratio {figure.ratio:.2f}\n")


def main() -> int:
    """Read the arguments and run; 1 where a row falls short and that matters."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="Speed, each figure beside its limit.")
    parser.add_argument("--only", nargs="+", choices=list(REACH), default=list(REACH), metavar="NAME", help="rows")
    broker = "which one the rows stand on; `kafka` is Apache Kafka in a container"
    parser.add_argument("--broker", choices=get_args(ground.Broker), default="embedded", help=broker)
    parser.add_argument("--runs", type=int, default=RUNS, help="how many runs the medians are of")
    parser.add_argument(
        "--quick", action="store_true", help="one short run of each: it proves nothing but that it runs"
    )
    parser.add_argument("--strict", action="store_true", help="exit with 1 where a ratio is below its reach")
    asked = parser.parse_args()
    found = asyncio.run(measure(asked.only, asked.broker, 1 if asked.quick else asked.runs, quick=asked.quick))
    figures.write(TARGET, found)
    figures.show(found)
    return 1 if asked.strict and not all(each.reached for each in found) else 0


if __name__ == "__main__":
    raise SystemExit(main())
