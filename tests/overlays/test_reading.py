"""Compose lays the overlays over the file as the policy on them does."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.compose.deployment import Deployment
from tests.deploy.compose_file import OVERLAYS, files_of, read


@pytest.mark.parametrize("overlay", OVERLAYS)
async def test_compose_reads_an_overlay_as_the_policy_on_it_does(tmp_path: Path, overlay: str) -> None:
    deployment = Deployment(tmp_path, "convoca", overlays=(overlay,))
    shown = json.loads((await deployment.compose("--profile", "*", "config", "--format", "json")).well())
    ours = read(overlay)
    assert {name: bool(each.get("internal")) for name, each in shown["networks"].items()} == {
        name: bool(each.get("internal")) for name, each in ours["networks"].items()
    }
    assert set(shown["services"]) == set(ours["services"])
    for name, service in shown["services"].items():
        wanted = ours["services"][name]
        secrets = {each["target"].removeprefix("/run/secrets/") for each in service.get("secrets", ())}
        assert secrets == files_of(wanted), name
        assert set(service.get("networks") or ()) == set(wanted.get("networks", ())), name
        assert {key: str(value or "") for key, value in service.get("environment", {}).items()} == {
            key: str(value or "") for key, value in wanted.get("environment", {}).items()
        }, name
        assert _places(service.get("volumes", ())) == _places(wanted.get("volumes", ())), name
        assert len(service.get("ports", ())) == len(wanted.get("ports", ())), name
        assert service["deploy"].get("replicas") == wanted["deploy"].get("replicas"), name
        for what in ("image", "read_only", "cap_drop", "user", "security_opt", "restart", "group_add"):
            assert service[what] == wanted[what], f"{name}: {what}"


def _places(volumes: Any) -> set[str]:  # noqa: ANN401 - lines or mappings
    return {each["target"] if isinstance(each, dict) else each.split(":")[1] for each in volumes}
