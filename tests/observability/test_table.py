"""The table by which operators know the metrics has each of them, and no other."""

import re
from importlib import import_module
from pathlib import Path

from prometheus_client import REGISTRY

from shared.events.topics import SERVICES

README = Path(__file__).parents[2] / "shared" / "observability" / "README.md"
ROW = re.compile(r"^\| `(convoca_\w+)` \| (\w+) \|([^|]*)\| \S", re.MULTILINE)
UNITS = ("_total", "_seconds", "_events", "_messages", "_records", "_requests", "_open", "_owed", "_aside", "_leading")


def registered() -> dict[str, tuple[str, frozenset[str]]]:
    for service in SERVICES:
        import_module(f"services.{service}.app")
    import_module("shared.observability.exporting")
    known: dict[str, tuple[str, frozenset[str]]] = {}
    for collector in set(REGISTRY._collector_to_names):  # noqa: SLF001 - the library lists them nowhere else
        for family in collector.describe() if hasattr(collector, "describe") else ():
            name = f"{family.name}_total" if family.type == "counter" else family.name
            if name.startswith("convoca_"):
                known[name] = family.type, frozenset(getattr(collector, "_labelnames", ()))
    return known


def test_the_table_of_metrics_and_the_metrics_agree() -> None:
    described = {
        name: (kind, frozenset(re.findall(r"`(\w+)`", labels)))
        for name, kind, labels in ROW.findall(README.read_text(encoding="utf-8"))
    }
    assert described == registered()


def test_each_metric_is_named_with_its_unit() -> None:
    assert [name for name in registered() if not name.endswith(UNITS)] == []
