"""`make chaos`: storms from the command line, a line for each seed; exit 1 where any promise was broken."""

import argparse
import asyncio
import logging
import secrets
import signal
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from tests.chaos import storm, table, world
from tests.chaos.storm import Account

SECONDS = 15.0


def seeds(text: str) -> list[int]:
    """Read `7`, `1..20`, or `3,5,8`."""
    first, dots, last = text.partition("..")
    return list(range(int(first), int(last) + 1)) if dots else [int(each) for each in text.split(",")]


def asked() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=seeds, help="7, 1..20 or 3,5,8; else one is drawn")
    parser.add_argument("--seeds", type=int, help="so many, from 1 on")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="how long each storm rages (%(default).0f)")
    parser.add_argument("--parts", choices=("embedded", "containers"), default="embedded")
    parser.add_argument(
        "--over", type=int, default=1, help="so many over one system: quicker, and each bears what was before"
    )
    parser.add_argument("--only", nargs="+", default=(), metavar="FAULT", help="as the table names them; else all")
    parser.add_argument("--keep", type=Path, help="a folder for the logs of storms that broke a promise")
    return parser.parse_args()


async def storms(wanted: list[int], options: argparse.Namespace) -> AsyncIterator[Account]:
    """Let one storm after another rage, each over a world of its own, or several over the same."""
    for first in range(0, len(wanted), options.over):
        with tempfile.TemporaryDirectory(prefix="convoca-chaos-") as folder:
            async with world.running(Path(folder), options.parts) as whole:
                for seed in wanted[first : first + options.over]:
                    account = await storm.rage(whole, seed, options.seconds, options.only)
                    if options.keep and not account.good:
                        table.keep_logs(whole.logs, options.keep / f"{options.parts}-{seed}")
                    yield account


async def main() -> int:
    """Run all of them, one after another; answers the exit code."""
    options = asked()
    this = asyncio.current_task()
    assert this is not None
    # What it has started ends with it, containers too.
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, this.cancel)
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # that connections break is what it is about
    wanted = options.seed or (list(range(1, options.seeds + 1)) if options.seeds else [secrets.randbelow(10**6)])
    accounts = []
    sys.stdout.write(f"{table.HEAD}\n")
    async for account in storms(wanted, options):
        accounts.append(account)
        sys.stdout.write("".join(f"{each}\n" for each in (table.line(account), *account.wrong)))
        sys.stdout.flush()
    sys.stdout.write(table.foot(accounts, options.parts, options.seconds))
    return 0 if all(each.good for each in accounts) else 1


if __name__ == "__main__":
    raise SystemExit(asyncio.run(main()))
