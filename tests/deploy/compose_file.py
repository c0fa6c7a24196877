"""docker-compose.yml as compose reads it, with each variable at its default: no engine is needed for that."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

PROJECT = Path(__file__).parents[2]
VARIABLE = re.compile(r"\$\{(?P<name>[A-Z_]+):-(?P<default>[^}]*)\}")
Service = dict[str, Any]


def read(environment: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Give the whole file; `environment` sets variables."""
    text = (PROJECT / "docker-compose.yml").read_text(encoding="utf-8")
    given = environment or {}
    resolved = VARIABLE.sub(lambda found: given.get(found["name"]) or found["default"], text)
    assert "${" not in resolved, "a variable without a default keeps `init` from running before there is an .env"
    found: dict[str, Any] = yaml.safe_load(resolved)
    return found


def variables() -> set[str]:
    """Name the variables that the file asks for."""
    return {found["name"] for found in VARIABLE.finditer((PROJECT / "docker-compose.yml").read_text(encoding="utf-8"))}


def files_of(service: Service) -> set[str]:
    """Name the secrets that a service sees, by their names under /run/secrets."""
    return {each if isinstance(each, str) else each["target"] for each in service.get("secrets", [])}


def sources_of(service: Service) -> set[str]:
    """Name the same as the file calls them."""
    return {each if isinstance(each, str) else each["source"] for each in service.get("secrets", [])}


def seconds(duration: str) -> int:
    """Read `15s` or `1m`."""
    found = re.fullmatch(r"(\d+)([sm])", duration)
    assert found, duration
    return int(found[1]) * {"s": 1, "m": 60}[found[2]]
