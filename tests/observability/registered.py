"""The metrics that the services have, as their library knows them."""

from importlib import import_module

from prometheus_client import REGISTRY

from shared.events.topics import SERVICES


def registered() -> dict[str, tuple[str, frozenset[str]]]:
    """Give the kind and the labels of each metric, by its name in the table for operators."""
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
