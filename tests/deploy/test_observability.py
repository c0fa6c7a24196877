"""What dashboards and warnings ask for is there, and each warning leads to what is to be done."""

import re

import pytest
import yaml

from shared.events.topics import SERVICES
from tests.deploy.compose_file import PROJECT, read
from tests.deploy.observability_files import CONFIG, FOLDER, alerts, expressions, panels
from tests.deploy.promql import Asked, asked
from tests.observability.registered import registered

SCRAPED = frozenset({"job", "instance"})
"""The labels that Prometheus gives to all that it reads."""


def known() -> dict[str, frozenset[str]]:
    """Give the labels of each series that there may be, by its name."""
    series = {"up": SCRAPED}
    for name, (kind, labels) in registered().items():
        if kind == "histogram":
            series[f"{name}_bucket"] = labels | SCRAPED | {"le"}
            series |= dict.fromkeys((f"{name}_sum", f"{name}_count"), labels | SCRAPED)
        else:
            series[name] = labels | SCRAPED
    return series


def strange(expression: str) -> list[str]:
    """Name what an expression asks for and nothing has."""
    series, found = known(), asked(expression)
    missing = [name for name in found.metrics if name not in series]
    labels = [
        f"{name}{{{label}}}" for name, chosen in found.metrics.items() for label in chosen - series.get(name, chosen)
    ]
    everywhere = frozenset[str]().union(*(series.get(name, frozenset()) for name in found.metrics))
    return [*missing, *labels, *(f"by ({label})" for label in found.grouped - everywhere)]


@pytest.mark.parametrize("where", expressions())
def test_an_expression_asks_only_for_what_a_service_exposes(where: str) -> None:
    assert asked(expressions()[where]).metrics, "an expression that nothing is read of would be true of anything"
    assert strange(expressions()[where]) == []


def test_every_metric_is_looked_at() -> None:
    looked_at = {name for each in expressions().values() for name in asked(each).metrics}
    names = {re.sub(r"_(bucket|count|sum)$", "", name) for name in looked_at}
    assert set(registered()) - names - {"convoca_dead_letters_total"} == set(), "the open ones are shown instead"


@pytest.mark.parametrize(
    ("expression", "wrong"),
    [
        ("rate(convoca_nonsense_total[5m])", ["convoca_nonsense_total"]),
        ('sum by (job) (convoca_outbox_messages{topic="x"})', ["convoca_outbox_messages{topic}"]),
        ("max by (consumer) (convoca_outbox_messages) > 3", ["by (consumer)"]),
        ("convoca_batch_seconds > 1", ["convoca_batch_seconds"]),
        ('sum(rate(convoca_events_total{outcome="done"}[5m] offset 1h)) / on (job) group_left () up', []),
    ],
)
def test_what_is_not_there_would_be_seen(expression: str, wrong: list[str]) -> None:
    assert strange(expression) == wrong


def test_an_expression_is_read_to_its_end() -> None:
    found = asked('sum by (job) (a{x="}b{", y!~"z"} or absent(c)) > 1e3 and d offset 5m')
    assert found == Asked({"a": frozenset({"x", "y"}), "c": frozenset(), "d": frozenset()}, frozenset({"job"}))


def test_each_warning_leads_to_a_heading_of_the_runbook() -> None:
    headings = re.findall(r"^## (.+)$", (PROJECT / "deploy" / "RUNBOOK.md").read_text(encoding="utf-8"), re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    led = {alert.name: alert.runbook.removeprefix("deploy/RUNBOOK.md#") for alert in alerts()}
    assert {name: anchor for name, anchor in led.items() if anchor not in anchors} == {}


def test_each_warning_is_seen_to_fire_and_to_be_silent() -> None:
    tests = yaml.safe_load((PROJECT / "tests/overlays/alerts_test.yml").read_text(encoding="utf-8"))["tests"]
    said = [(each["alertname"], bool(each.get("exp_alerts"))) for test in tests for each in test["alert_rule_test"]]
    assert sorted(said) == sorted((alert.name, fires) for alert in alerts() for fires in (True, False))


def test_prometheus_reads_each_service_at_its_own_path() -> None:
    jobs = {each["job_name"]: each for each in yaml.safe_load(CONFIG.read_text(encoding="utf-8"))["scrape_configs"]}
    assert set(jobs) == set(SERVICES)
    for service, job in jobs.items():
        assert job["metrics_path"] == f"/api/{service}/metrics"
        assert [(each["names"], each["port"]) for each in job["dns_sd_configs"]] == [([service], 8000)]


def test_grafana_is_given_the_source_that_its_panels_name() -> None:
    sources = yaml.safe_load((FOLDER / "grafana/provisioning/datasources/prometheus.yml").read_text())["datasources"]
    ((uid, url),) = [(each["uid"], each["url"]) for each in sources]
    assert url == "http://prometheus:9090"
    assert {panel["datasource"]["uid"] for panel in panels() if "datasource" in panel} == {uid}
    (provider,) = yaml.safe_load((FOLDER / "grafana/provisioning/dashboards/convoca.yml").read_text())["providers"]
    mounted = read("observability")["services"]["grafana"]["volumes"]
    assert f"./deploy/observability/grafana/dashboards:{provider['options']['path']}:ro" in mounted


def test_the_collector_is_made_of_parts_that_it_has_and_reached_where_it_listens() -> None:
    text = (FOLDER / "collector.yml").read_text(encoding="utf-8")
    collector, overlay = yaml.safe_load(text), read("observability")["services"]
    told = overlay["collector"]["environment"]
    assert set(re.findall(r"\$\{env:(\w+)\}", text)) == set(told)
    (pipeline,) = collector["service"]["pipelines"].values()
    exporters = {told["CONVOCA_TRACES_EXPORTER"], "otlphttp"}
    assert set(pipeline["receivers"]) == set(collector["receivers"])
    assert set(pipeline["processors"]) == set(collector["processors"])
    assert exporters == set(collector["exporters"])
    port = collector["receivers"]["otlp"]["protocols"]["http"]["endpoint"].rpartition(":")[2]
    assert {overlay[each]["environment"]["CONVOCA_OTLP_ENDPOINT"] for each in SERVICES} == {f"http://collector:{port}"}
