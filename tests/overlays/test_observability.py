"""Prometheus itself on our files: it takes them, reads the services, and warns of one that is gone."""

import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest_asyncio

from shared.events.topics import SERVICES
from tests.compose.deployed import Deployed
from tests.compose.deployment import docker
from tests.compose.waiting import before_long
from tests.deploy.compose_file import PROJECT
from tests.deploy.observability_files import ALERTS, CONFIG, expressions
from tests.deploy.promql import asked
from tests.overlays.conftest import Deploying
from tests.system.offers import workshop
from tests.system.people import Person

PARTS = ("caddy", *SERVICES, "mailpit", "prometheus")
"""All but Grafana and the collector, of which there is no stand-in where no registry is reached."""
PROMETHEUS = """
FROM python:3.13-slim
RUN apt-get update && RUNLEVEL=1 apt-get install -y --no-install-recommends prometheus wget \
    && install -d -o 65534 -g 65534 /prometheus
ENTRYPOINT ["prometheus"]
"""
STAND_IN = "convoca-test/prometheus:2"
Asking = Callable[..., Any]


def promtool(*arguments: str) -> str:
    """Run Prometheus' own checker; gives what it says, and fails where it finds a fault."""
    program = shutil.which("promtool")
    assert program, "promtool is not there; it comes with Prometheus: apt-get install prometheus, as root"
    ran = subprocess.run([program, *arguments], cwd=PROJECT, capture_output=True, text=True, check=False, timeout=120)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def test_prometheus_takes_its_file_and_its_rules() -> None:
    assert "SUCCESS" in promtool("check", "config", str(CONFIG))
    assert "SUCCESS" in promtool("check", "rules", str(ALERTS))


def test_each_warning_fires_when_it_should_and_is_silent_when_not() -> None:
    promtool("test", "rules", "tests/overlays/alerts_test.yml")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def watched(deploying: Deploying) -> AsyncIterator[Deployed]:
    """Give the running deployment, with the Prometheus that PROMETHEUS_IMAGE names, or Debian's."""
    image = os.environ.get("PROMETHEUS_IMAGE")
    if image is None:
        image = STAND_IN
        (await docker("build", "--tag", image, "-", given=PROMETHEUS)).well()
    async with deploying("observability", parts=PARTS, PROMETHEUS_IMAGE=image) as stack:
        yield stack


async def prometheus(stack: Deployed, path: str, **query: str) -> Any:  # noqa: ANN401 - any JSON
    """Ask Prometheus, by its API."""
    address = await stack.deployment.address("prometheus", "inside")
    answer = await stack.http.get(f"http://{address}:9090/api/v1/{path}", params=query)
    assert answer.status_code == httpx.codes.OK, answer.text
    return answer.json()["data"]


async def answering(stack: Deployed) -> dict[str, int]:
    """Count the processes that Prometheus reads, by service."""
    found = await prometheus(stack, "query", query="sum by (job) (up)")
    return {each["metric"]["job"]: int(each["value"][1]) for each in found["result"]}


async def test_the_services_are_read_and_expose_all_that_is_asked_for(watched: Deployed) -> None:
    await watched.enrol(await watched.offer(workshop()), Person())

    async def all_read() -> bool:
        return await answering(watched) == dict.fromkeys(SERVICES, 1)

    await before_long(all_read, "Prometheus to have read all services")
    exposed = set(await prometheus(watched, "metadata"))
    wanted = {name for each in expressions().values() for name in asked(each).metrics} - {"up"}
    endings = ("", "_bucket", "_count", "_sum")
    assert {name for name in wanted if not {name.removesuffix(each) for each in endings} & exposed} == set()


async def test_prometheus_can_answer_each_expression_and_no_warning_is_up(watched: Deployed) -> None:
    for where, expression in expressions().items():
        assert "result" in await prometheus(watched, "query", query=expression), where
    route = 'convoca_http_request_seconds_count{route=~".*/health/ready",status="200"}'

    async def probes_are_counted() -> bool:
        found = (await prometheus(watched, "query", query=f"sum by (job) ({route})"))["result"]
        return {each["metric"]["job"] for each in found} == set(SERVICES)

    await before_long(probes_are_counted, "what ServiceNotReady is made of to be there")
    assert [each["labels"] for each in (await prometheus(watched, "alerts"))["alerts"]] == []


async def test_nobody_outside_reaches_prometheus(watched: Deployed) -> None:
    about = await watched.deployment.inspect("prometheus")
    assert about["HostConfig"]["PortBindings"] in ({}, None)
    networks = {name.partition("_")[2] for name in about["NetworkSettings"]["Networks"]}
    assert networks == {"inside", "watching"}
    assert (about["HostConfig"]["ReadonlyRootfs"], about["Config"]["User"]) == (True, "65534:65534")


async def test_a_service_that_is_gone_is_warned_of(watched: Deployed) -> None:
    (await watched.deployment.compose("stop", "notifications")).well()

    async def warned() -> bool:
        alerts = (await prometheus(watched, "alerts"))["alerts"]
        return {"ServiceDown": "notifications"} in [
            {each["labels"]["alertname"]: each["labels"]["job"]} for each in alerts
        ]

    await before_long(warned, "a warning that notifications is down")
    (await watched.deployment.compose("start", "notifications")).well()
