"""The files by which Prometheus and Grafana are told what to show and when to warn."""

import json
from dataclasses import dataclass
from typing import Any

import yaml

from tests.deploy.compose_file import PROJECT

FOLDER = PROJECT / "deploy" / "observability"
CONFIG, ALERTS = FOLDER / "prometheus.yml", FOLDER / "alerts.yml"
DASHBOARDS = sorted((FOLDER / "grafana" / "dashboards").glob("*.json"))


@dataclass(frozen=True, slots=True)
class Alert:
    """A warning."""

    name: str
    expression: str
    runbook: str
    summary: str


def alerts() -> list[Alert]:
    """Give all warnings."""
    groups = yaml.safe_load(ALERTS.read_text(encoding="utf-8"))["groups"]
    return [
        Alert(rule["alert"], rule["expr"], rule["annotations"]["runbook"], rule["annotations"]["summary"])
        for group in groups
        for rule in group["rules"]
    ]


def panels() -> list[dict[str, Any]]:
    """Give all panels of all dashboards."""
    return [panel for path in DASHBOARDS for panel in json.loads(path.read_text(encoding="utf-8"))["panels"]]


def expressions() -> dict[str, str]:
    """Give every expression, by where it stands."""
    asking = [(panel["title"], target) for panel in panels() for target in panel.get("targets", ())]
    shown = {f"{title} {target['refId']}": target["expr"] for title, target in asking}
    return {**shown, **{alert.name: alert.expression for alert in alerts()}}
