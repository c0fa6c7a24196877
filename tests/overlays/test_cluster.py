"""Three nodes and two of each service: one may die while people enrol, and nothing that was accepted is lost."""

import time
from collections.abc import AsyncIterator

import pytest_asyncio

from shared.events.topics import OWN, SERVICES, WORKSHOPS
from tests.compose.account import LOOKING, all_mailed, catcher_of, containers_of, counted, everything_is_true_of
from tests.compose.deployed import REFUSED, WRITTEN, Deployed, record
from tests.compose.deployment import docker
from tests.compose.load import under_load
from tests.overlays.conftest import Deploying
from tests.system.offers import workshop

FIRST = "kafka"
"""The node that clients ask first."""
HEAP = "-Xms160m -Xmx320m"
HANDLED = 'convoca_http_request_seconds_count{method="POST",route="/api/registration/enrolments",status="201"}'


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def cluster(deploying: Deploying) -> AsyncIterator[Deployed]:
    """Give the running deployment."""
    async with deploying("cluster", CONVOCA_KAFKA_HEAP=HEAP) as stack:
        yield stack


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
        assert [await counted(cluster, each, "registration", HANDLED) > 0 for each in (first, second)] == [True, True]
        since = time.monotonic()
        (await docker("kill", "--signal", "KILL", first["Id"])).well()
        await load.another(20)
        cluster.deployment.note("a container of registration killed, until 20 more are accepted", since)
        await all_mailed(load, catcher)
        cluster.deployment.note("a container of registration killed, until all until then are written to", since)
        (await docker("start", first["Id"])).well()
        await load.another(20)
    await everything_is_true_of(load, catcher)
