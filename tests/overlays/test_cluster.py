"""Three nodes and two of each service: one may die while people enrol, and nothing that was accepted is lost."""

import json
import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest_asyncio

from deploy.embedded.folder import SERVICES
from shared.events.topics import OWN, WORKSHOPS
from tests.compose.deployed import REFUSED, WRITTEN, Deployed, record
from tests.compose.deployment import docker
from tests.overlays.conftest import Deploying
from tests.overlays.load import Load, under_load
from tests.overlays.waiting import before_long
from tests.system.offers import workshop

LOOKING = (Path(__file__).parent / "looking.py").read_text(encoding="utf-8")
FIRST = "kafka"
"""The node that clients ask first."""
HEAP = "-Xms160m -Xmx320m"
HANDLED = 'convoca_http_request_seconds_count{method="POST",route="/api/registration/enrolments",status="201"}'


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def cluster(deploying: Deploying) -> AsyncIterator[Deployed]:
    """Give the running deployment."""
    async with deploying("cluster", CONVOCA_KAFKA_HEAP=HEAP) as stack:
        yield stack


async def mailed(stack: Deployed, catcher: str) -> Counter[str]:
    """Count the mails by their recipient."""
    answer = (await stack.http.get(f"{catcher}/messages", params={"limit": 5000})).raise_for_status().json()
    return Counter(each["To"][0]["Address"] for each in answer["messages"])


async def catcher_of(stack: Deployed) -> str:
    """Give where the mail catcher's API is; the public image has it below /mailbox, its stand-in has not."""
    root = f"http://{await stack.deployment.address('mailpit', 'inside')}:8025"
    below = (await stack.http.get(f"{root}/mailbox/readyz")).is_success
    return f"{root}/mailbox/api/v1" if below else f"{root}/api/v1"


async def all_mailed(load: Load, catcher: str) -> None:
    """Wait until everybody has been written to who has been accepted until now."""
    until_now = set(load.accepted)

    async def written_to() -> bool:
        return until_now <= set(await mailed(load.stack, catcher))

    await before_long(written_to, "everybody to be written to")


async def containers_of(stack: Deployed, service: str) -> list[dict[str, Any]]:
    """Give what the engine knows of each of a service's containers, in their order."""
    named = (await stack.deployment.compose("ps", "--all", "--quiet", service)).well().split()
    about: list[dict[str, Any]] = json.loads((await docker("inspect", *named)).well())
    return sorted(about, key=lambda each: str(each["Name"]))


async def test_every_topic_is_on_three_nodes_and_a_record_on_two_at_least(cluster: Deployed) -> None:
    crm = await cluster.let_in("registration")
    topics = await cluster.inside(LOOKING, "kept")
    known = {topic.name for service in SERVICES for topic in OWN[service]}
    assert {*known, crm.topic, "__consumer_offsets"} <= set(topics)
    assert {name: kept for name, kept in topics.items() if kept != [3, 2]} == {}


async def test_a_broker_of_three_dies_and_nobody_notices(cluster: Deployed) -> None:
    offered = await cluster.offer(workshop(seats={"in_person": 5000}))
    cms, catcher = await cluster.let_in("catalogue"), await catcher_of(cluster)
    async with under_load(cluster, offered) as load:
        await load.another(20)
        since = time.monotonic()
        # Killed by the engine's own command it stays down.
        (await cluster.deployment.compose("kill", "--signal", "KILL", FIRST)).well()
        await load.another(20)
        cluster.deployment.note("a broker killed, until 20 more are accepted", since)
        await all_mailed(load, catcher)
        cluster.deployment.note("a broker killed, until all until then are written to", since)
        tried = await cluster.write(cms.kafka, record(cms.topic), record(WORKSHOPS.name), record("registration.people"))
        assert tried == [WRITTEN, REFUSED, REFUSED]
        since = time.monotonic()
        (await cluster.deployment.compose("up", "--detach", "--no-deps", "--wait", FIRST)).well()
        assert await cluster.inside(LOOKING, "whole")
        cluster.deployment.note("the broker started, until it has every record", since)
        await load.another(20)
    await everything_is_true_of(load, catcher)


async def test_one_of_two_containers_of_a_service_dies_and_nobody_notices(cluster: Deployed) -> None:
    offered = await cluster.offer(workshop(seats={"in_person": 5000}))
    catcher = await catcher_of(cluster)
    async with under_load(cluster, offered) as load:
        await load.another(20)
        first, second = await containers_of(cluster, "registration")
        assert [await handled(cluster, each) > 0 for each in (first, second)] == [True, True]
        since = time.monotonic()
        (await docker("kill", "--signal", "KILL", first["Id"])).well()
        await load.another(20)
        cluster.deployment.note("a container of registration killed, until 20 more are accepted", since)
        await all_mailed(load, catcher)
        cluster.deployment.note("a container of registration killed, until all until then are written to", since)
        (await docker("start", first["Id"])).well()
        await load.another(20)
    await everything_is_true_of(load, catcher)


async def handled(stack: Deployed, container: dict[str, Any]) -> float:
    """Tell how many enrolments a container has accepted."""
    address = container["NetworkSettings"]["Networks"][f"{stack.deployment.project}_inside"]["IPAddress"]
    shown = (await stack.http.get(f"http://{address}:8000/api/registration/metrics")).raise_for_status().text
    return sum(float(line.rpartition(" ")[2]) for line in shown.splitlines() if line.startswith(HANDLED))


async def everything_is_true_of(load: Load, catcher: str) -> None:
    """See that what was accepted is in the database, on the stream and in the mails, once each."""
    stack = load.stack
    accepted = {str(each.enrolment_id) for each in load.accepted.values()}
    assert len(accepted) == len(load.accepted)
    stack.deployment.timed.append(("enrolments accepted, attempts made again", f"{len(accepted)}, {load.again}"))
    await all_mailed(load, catcher)
    assert (await stack.seats(load.offered)).json()["in_person"]["confirmed"] == len(accepted)
    url = (stack.deployment.folder / "secrets" / "registration_database_url").read_text(encoding="utf-8").strip()
    query = "SELECT enrolment_id FROM enrolments WHERE state = 'confirmed'"
    stored = await stack.deployment.run("ops", url, "-Atc", query, options=("--no-deps", "--entrypoint", "psql"))
    assert accepted <= set(stored.well().split())
    assert accepted <= set(await stack.inside(LOOKING, "created"))
    times = await mailed(stack, catcher)
    assert {address: times[address] for address in load.accepted} == dict.fromkeys(load.accepted, 1)
    (await stack.http.get("/api/registration/health/ready")).raise_for_status()
    assert (await stack.http.get(f"/workshops/{load.offered.slug}")).status_code == httpx.codes.OK
