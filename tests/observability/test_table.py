"""The table by which operators know the metrics has each of them, and no other."""

import re
from pathlib import Path

from tests.observability.registered import registered

README = Path(__file__).parents[2] / "shared" / "observability" / "README.md"
ROW = re.compile(r"^\| `(convoca_\w+)` \| (\w+) \|([^|]*)\| \S", re.MULTILINE)
UNITS = ("_total", "_seconds", "_events", "_messages", "_records", "_requests", "_open", "_owed", "_aside", "_leading")


def test_the_table_of_metrics_and_the_metrics_agree() -> None:
    described = {
        name: (kind, frozenset(re.findall(r"`(\w+)`", labels)))
        for name, kind, labels in ROW.findall(README.read_text(encoding="utf-8"))
    }
    assert described == registered()


def test_each_metric_is_named_with_its_unit() -> None:
    assert [name for name in registered() if not name.endswith(UNITS)] == []
