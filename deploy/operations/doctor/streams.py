"""The broker: whether it answers, has the streams as they must be, keeps enough copies, and lets in whom it must."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

import asyncpg
from confluent_kafka.admin import AdminClient, ConfigResource, TopicMetadata

from deploy.kafka.access import access_to
from deploy.kafka.admin import SECONDS_TO_ANSWER, admin_client, answered
from deploy.kafka.rights import Right, publisher_user
from deploy.kafka.services import FOLLOWERS, rights_of
from deploy.operations.doctor.findings import Finding, Patient, ill, lasting, well
from deploy.operations.places import acknowledged, behind
from shared.errors import Unavailable
from shared.events.topics import INBOUND, OWN, SERVICES, Topic, inbound
from shared.messaging import kafka as broker
from shared.messaging.follow import Subscription
from shared.messaging.topics import configuration
from shared.settings import KafkaSettings

SECONDS_TO_BE_THERE = 5.0
MIN_ISR = "min.insync.replicas"


async def of_kafka(patient: Patient) -> list[Finding]:
    """Look at everything that is the broker's; where it does not answer, that is all there is to say."""
    kafka = patient.kafka
    if kafka is None:
        return []
    if not await broker.answers(kafka, SECONDS_TO_BE_THERE):
        do = "start Kafka, or mend address, user and password; its own log says more"
        return [ill("kafka", kafka.kafka_servers, "does not answer", do)]
    admin = admin_client(kafka)
    there = (await asyncio.to_thread(admin.list_topics, timeout=SECONDS_TO_ANSWER)).topics
    topics = [topic for service in SERVICES for topic in OWN[service]] + await _inbound(patient)
    found = [well("kafka", kafka.kafka_servers, f"answers, and has {len(there)} topics")]
    found += await _topics(admin, topics, there)
    found += await _rights(kafka, patient, topics)
    return found


async def of_lag(patient: Patient) -> list[Finding]:
    """Look at how far each consumer is behind; one that has something to take, and does not, is found."""
    kafka = patient.kafka
    if kafka is None or not await broker.answers(kafka, SECONDS_TO_BE_THERE):
        return []
    return [
        await _lag(patient, kafka, service, each) for service in SERVICES for each in FOLLOWERS[service].subscriptions
    ]


async def _lag(patient: Patient, kafka: KafkaSettings, service: str, followed: Subscription) -> Finding:
    names, prefix = {topic.name for topic in followed.topics}, f"{followed.topics[0].name}."

    def belongs(name: str) -> bool:
        return name.startswith(prefix) if followed.inbound else name in names

    late = await behind(kafka, await acknowledged(kafka, followed.name, belongs))
    since = min((each.since for each in late.values() if each.since is not None), default=None)
    if since is None:
        return well("lag", followed.name, "has taken everything")
    waits = patient.clock() - datetime.fromtimestamp(since / 1000, UTC)
    says = f"{sum(each.records for each in late.values())} records to take, the oldest waits for {lasting(waits)}"
    if waits > patient.limits.waits_to_be_taken:
        do = f"see that {service} runs and is ready, and `lag grows` in deploy/RUNBOOK.md"
        return ill("lag", followed.name, says, do)
    return well("lag", followed.name, says)


async def _topics(admin: AdminClient, topics: Sequence[Topic], there: dict[str, TopicMetadata]) -> list[Finding]:
    missing = [topic.name for topic in topics if topic.name not in there]
    found = [ill("topics", name, "is not there", "convoca migrate") for name in missing]
    asked = [topic for topic in topics if topic.name in there]
    resources = [ConfigResource(ConfigResource.Type.TOPIC, topic.name) for topic in asked]
    if not resources:
        return found
    configs = {
        resource.name: {name: entry.value for name, entry in (await answered(future)).items()}
        for resource, future in admin.describe_configs(resources, request_timeout=SECONDS_TO_ANSWER).items()
    }
    for topic in asked:
        found += _shape(topic, there[topic.name], configs[topic.name])
        found += _copies(topic, there[topic.name], int(configs[topic.name].get(MIN_ISR) or 1))
    if not found:
        found.append(
            well("topics", f"{len(asked)}", "are there, with partitions, retention and copies as they must be")
        )
    return found


def _shape(topic: Topic, known: TopicMetadata, config: dict[str, str | None]) -> list[Finding]:
    found = []
    if len(known.partitions) != topic.partitions:
        says = f"has {len(known.partitions)} partitions, not {topic.partitions}: each key's order hangs on their number"
        do = "stop the services, delete the topic, `convoca migrate`, start them, and `convoca events replay`"
        found.append(ill("topics", topic.name, says, do))
    for name, wanted in configuration(topic).items():
        # What a broker does not tell of is at its default: for these that is never what we want, save for the policy.
        has = config.get(name) or ("delete" if name == "cleanup.policy" else "unset")
        if has != wanted:
            do = f"set {name}={wanted} on the topic with the broker's own tools (kafka-configs.sh)"
            found.append(ill("topics", topic.name, f"has {name}={has}, not {wanted}", do))
    return found


def _copies(topic: Topic, known: TopicMetadata, least: int) -> list[Finding]:
    copies = min((len(each.replicas) for each in known.partitions.values()), default=0)
    alive = min((len(each.isrs) for each in known.partitions.values()), default=0)
    if copies < least:
        says = f"has {copies} copies, and {least} must confirm each record: nothing can be written"
        return [ill("copies", topic.name, says, f"raise its replication, or lower {MIN_ISR}")]
    if alive < least:
        says = f"only {alive} of {copies} copies are in step, and {least} must confirm each record"
        return [ill("copies", topic.name, says, "bring the lost broker back: `lost broker` in deploy/RUNBOOK.md")]
    return []


async def _inbound(patient: Patient) -> list[Topic]:
    found: list[Topic] = []
    for service in INBOUND:
        try:
            database = await asyncpg.connect(patient.databases[service], timeout=SECONDS_TO_BE_THERE)
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
            continue  # that is found elsewhere
        try:
            if await database.fetchval("SELECT to_regclass('public.publishers')") is not None:
                names = await database.fetch("SELECT name FROM publishers ORDER BY name")
                found += [inbound(service, row["name"]) for row in names]
        finally:
            await database.close()
    return found


async def _rights(kafka: KafkaSettings, patient: Patient, topics: Sequence[Topic]) -> list[Finding]:
    """Look at who may do what, on a broker that asks its clients who they are."""
    if not kafka.kafka_security.startswith("sasl"):
        return []
    access = access_to(kafka)
    found: list[Finding] = []
    wanted = {(patient.users[service], "convoca migrate"): rights_of(service) for service in SERVICES}
    for topic in topics:
        if topic.inbound:
            _, service, name = topic.name.split(".", 2)
            do = f"`convoca publisher remove {name} --service {service}`, and add it again: its password is lost"
            wanted[publisher_user(service, name), do] = (Right("write", "topic", topic.name),)
    for (user, do), rights in wanted.items():
        try:
            lacks = await access.lacks(user, rights)
        except Unavailable as error:
            return [*found, ill("rights", user, error.detail, "give this command the broker's administrator")]
        if not await access.knows(user):
            found.append(ill("rights", user, "is no user of the broker", do))
        elif lacks:
            named = ", ".join(f"{right.does} {right.resource} {right.name}" for right in lacks)
            found.append(ill("rights", user, f"may not {named}", do))
    return found or [well("rights", f"{len(wanted)} users", "may do what they must")]
