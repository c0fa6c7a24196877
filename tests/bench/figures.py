"""What a row of the bench is, how it is shown to people and written for machines."""

import json
import os
import platform
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

REACH = {
    "bus": 0.5,
    "bus-textbook": 10.0,
    "poison": 0.7,
    "post-many": 0.6,
    "post-rush": 1.5,
    "mail-p50": 1.0,
    "mail-p99": 1.0,
    "backlog": 1.5,
    "start": 1.0,
    "memory": 1.0,
}
"""Each row, and the ratio that it must reach."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One row: what we measured, the limit, and their ratio, which is better when it is higher."""

    name: str
    value: float
    unit: str
    limit: float
    ratio: float
    spread: str
    note: str = ""

    @property
    def reach(self) -> float:
        """The ratio that is asked for."""
        return REACH[self.name]

    @property
    def reached(self) -> bool:
        """Tell whether the ratio is what is asked for."""
        return self.ratio >= self.reach


def rate(name: str, ours: Sequence[float], limits: Sequence[float], unit: str, note: str = "") -> Figure:
    """Make a row of several runs: the medians, and their ratio."""
    value, limit = median(ours), median(limits)
    return Figure(name, value, unit, limit, value / limit, f"{_span(ours)} | {_span(limits)}", note)


def ceiling(name: str, ours: Sequence[float], most: float, unit: str, note: str = "") -> Figure:
    """Make a row that has a ceiling in place of a limit program: the ratio is ceiling ÷ value."""
    value = median(ours)
    return Figure(name, value, unit, most, most / value, _span(ours), note)


def show(figures: Iterable[Figure]) -> None:
    """Print the table on stderr."""
    table = Table(title="limit = measured in the same run, or a ceiling; spread = lowest to highest run, ours | limit")
    for column, justify in (("row", "left"), ("value", "right"), ("limit", "right"), ("unit", "left")):
        table.add_column(column, justify=justify, no_wrap=True)  # type: ignore[arg-type]
    for column in ("ratio", "reach", ""):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("spread")
    table.add_column("note")
    for each in figures:
        said = "reached" if each.reached else "short"
        numbers = (_number(each.value), _number(each.limit), each.unit, f"{each.ratio:.2f}", f"{each.reach:g}")
        table.add_row(each.name, *numbers, said, each.spread, each.note)
    table.caption = _machine()
    console = Console(stderr=True)
    console = console if console.is_terminal else Console(stderr=True, width=200)
    console.print(table)


def write(path: Path, figures: Iterable[Figure]) -> None:
    """Write the rows as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [
        {
            "name": each.name,
            "value": round(each.value, 3),
            "unit": each.unit,
            "limit": round(each.limit, 3),
            "ratio": round(each.ratio, 3),
            "reach": each.reach,
        }
        for each in figures
    ]
    path.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


def _machine() -> str:
    """Tell what it was measured on: rows without a limit of their own cannot be read without it.

    Processors that share a core, or a host with others, are each slower when all are at work.
    """
    processors = os.cpu_count() or 1
    with ProcessPoolExecutor(processors) as pool:
        alone = pool.submit(_add_up).result()
        together = max(pool.map(_add_up, [None] * processors))
    python = f"{platform.python_implementation()} {platform.python_version()}, {processors} processors"
    return f"{python}; to add up ten million numbers takes one of them {alone:.2f} s, all at once {together:.2f} s"


def _add_up(_: None = None) -> float:
    began = time.perf_counter()
    sum(number for number in range(10_000_000))
    return time.perf_counter() - began


def _span(values: Sequence[float]) -> str:
    return f"{_number(min(values))}..{_number(max(values))}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"  # noqa: RUF100, PLR2004
