"""What came of storms, for people: a line for each seed, the faults in all, and each broken promise in a sentence."""

import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tests.chaos.storm import Account

COLUMNS = (
    ("seed", 7), ("faults", 7), ("events", 7), ("enrolled", 9), ("asked again", 12), ("mails", 6), ("uncertain", 10),
    ("lost", 5), ("twice", 6), ("disorder", 9), ("drained in", 11),
)  # fmt: skip
HEAD = "".join(f"{name:>{width}}" for name, width in COLUMNS)


def line(account: Account) -> str:
    """Write one storm."""
    found = account.findings
    cells = (
        account.seed, account.faults.total(), found.events, found.enrolments, account.tried_again, found.mails,
        found.uncertain, len(found.lost), len(found.twice), len(found.disorder), f"{account.seconds_to_drain:.1f} s",
    )  # fmt: skip
    return "".join(f"{cell:>{width}}" for cell, (_, width) in zip(cells, COLUMNS, strict=True))


def foot(accounts: Sequence[Account], parts: str, seconds: float) -> str:
    """Write what all of them had in common, and what went wrong."""
    faults: Counter[str] = Counter()
    for each in accounts:
        faults += each.faults
    told = ", ".join(f"{kind} {number}" for kind, number in sorted(faults.items()))
    longest = max(each.seconds_to_drain for each in accounts)
    lines = [
        f"{len(accounts)} storms of {seconds:.0f} s on {parts}; longest drain {longest:.1f} s",
        f"faults: {told}",
        *(f"seed {each.seed}: {text}" for each in accounts for text in each.wrong),
        "every promise was kept" if all(each.good for each in accounts) else "PROMISES WERE BROKEN",
    ]
    return "".join(f"{each}\n" for each in lines)


def keep_logs(logs: Path, into: Path) -> None:
    """Keep the logs of a storm for whoever looks for the cause."""
    shutil.copytree(logs, into, dirs_exist_ok=True)
