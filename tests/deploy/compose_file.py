"""docker-compose.yml as compose reads it, with overlays or without, each variable at its default; without an engine."""

import copy
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

PROJECT = Path(__file__).parents[2]
BASE = "docker-compose.yml"
OVERLAYS = tuple(sorted(path.name.split(".")[1] for path in (PROJECT / "deploy").glob("compose.*.yml")))
VARIABLE = re.compile(r"\$\{(?P<name>[A-Z_]+):-(?P<default>[^}]*)\}")
Service = dict[str, Any]


def file_of(overlay: str) -> str:
    """Give the path of an overlay in the project."""
    return f"deploy/compose.{overlay}.yml"


def read(*overlays: str, environment: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Give the whole file with these overlays over it; `environment` sets variables."""
    whole = _parsed(BASE, environment or {})
    base = copy.deepcopy(whole["services"])
    for overlay in overlays:
        over = _parsed(file_of(overlay), environment or {})
        for service in over.get("services", {}).values():
            if extended := service.pop("extends", None):
                assert extended["file"] == BASE
                own = dict(service)
                service.clear()
                service.update(_merged(base[extended["service"]], own))
        whole = _merged(whole, over)
    return whole


def variables(*overlays: str) -> set[str]:
    """Name the variables that the file asks for, and those of overlays."""
    files = (BASE, *map(file_of, overlays))
    texts = [(PROJECT / each).read_text(encoding="utf-8") for each in files]
    return {found["name"] for text in texts for found in VARIABLE.finditer(text)}


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


def _parsed(name: str, given: Mapping[str, str]) -> dict[str, Any]:
    text = (PROJECT / name).read_text(encoding="utf-8")
    resolved = VARIABLE.sub(lambda found: given.get(found["name"]) or found["default"], text)
    assert not re.search(r"(?<!\$)\$\{", resolved), "a variable without a default keeps `init` from running"
    found: dict[str, Any] = yaml.safe_load(resolved)
    return found


def _merged(under: Any, over: Any, at: str = "") -> Any:  # noqa: ANN401 - any part of a file
    """Lay one part over another as compose does: mappings by key, lists one behind the other, the rest as a whole."""
    if at == "networks":  # names, or names with what is special of each
        under, over = ({each: {} for each in part} if isinstance(part, list) else part for part in (under, over))
    if isinstance(under, dict) and isinstance(over, dict):
        both = {key: _merged(under[key], over[key], key) for key in under if key in over}
        return {**copy.deepcopy(under), **over, **both}
    if at == "volumes":
        places = {_place(each): each for each in (*under, *over)}
        return list(places.values())
    if isinstance(under, list) and at not in ("command", "entrypoint", "test"):
        return [*under, *over]
    return over


def _place(volume: Any) -> str:  # noqa: ANN401 - a line or a mapping
    return str(volume["target"] if isinstance(volume, dict) else volume.split(":")[1])
