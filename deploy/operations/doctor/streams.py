"""The broker's streams: whether they are there as they must be, with enough copies; and whether it answers at all."""

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from typing import Any

import asyncpg
from confluent_kafka import KafkaError, TopicCollection
from confluent_kafka.admin import AdminClient, ConfigResource, TopicMetadata

from deploy.kafka.admin import SECONDS_TO_ANSWER, Refused, admin_client, answered, code_of, topics_of
from deploy.operations.doctor.findings import ADMINISTRATOR, Finding, Patient, ill, well
from shared.errors import Unavailable
from shared.events.topics import INBOUND, OWN, SERVICES, Topic, inbound
from shared.messaging import kafka as broker
from shared.messaging.topics import configuration
from shared.settings import KafkaSettings

SECONDS_TO_BE_THERE = 5.0
MIN_ISR = "min.insync.replicas"
Configs = Mapping[str, Mapping[str, str | None]]


async def of_kafka(patient: Patient) -> list[Finding]:
    """Ask whether the broker answers; where it does not, nothing else is said of what is the broker's."""
    kafka = patient.kafka
    if kafka is None:
        return []
    if not await broker.answers(kafka, SECONDS_TO_BE_THERE):
        do = "start Kafka, or mend address, user and password; its own log says more"
        return [ill("kafka", kafka.kafka_servers, "does not answer", do)]
    return [well("kafka", kafka.kafka_servers, "answers")]


async def that_answers(patient: Patient) -> KafkaSettings | None:
    """Give the broker that is looked at; None where it does not answer, which `of_kafka` says."""
    kafka = patient.kafka
    return kafka if kafka is not None and await broker.answers(kafka, SECONDS_TO_BE_THERE) else None


async def all_topics(patient: Patient) -> list[Topic]:
    """Give the streams that must be there: our own, and one for each outside system that may write."""
    return [topic for service in SERVICES for topic in OWN[service]] + await _inbound(patient)


async def of_topics(patient: Patient) -> list[Finding]:
    """Look at each stream: that it is there, its partitions, its settings and its copies; as far as one is let."""
    kafka = await that_answers(patient)
    if kafka is None:
        return []
    admin, topics = admin_client(kafka), await all_topics(patient)
    there = await topics_of(admin)
    seen = [topic for topic in topics if topic.name in there]
    found = await _absent(admin, kafka, [topic.name for topic in topics if topic.name not in there])
    configs, shut = await _configs(admin, [topic.name for topic in seen])
    for topic in seen:
        found += _partitions(topic, there[topic.name])
        found += _settings(topic, configs[topic.name]) if topic.name in configs else []
        found += _copies(topic, there[topic.name], int(configs.get(topic.name, {}).get(MIN_ISR) or 1))
    if shut:
        found.append(_not_let("may not read the settings of", kafka, shut))
    return found or [
        well("topics", f"{len(topics)}", "are there, with partitions, retention and copies as they must be")
    ]


async def _absent(admin: AdminClient, kafka: KafkaSettings, names: Sequence[str]) -> list[Finding]:
    """Tell topics that are not there from those that the broker does not show to this user."""
    if not names:
        return []
    found, hidden = [], []
    asked = admin.describe_topics(TopicCollection(list(names)), request_timeout=SECONDS_TO_ANSWER)
    for name, future in asked.items():
        try:
            await answered(future)
        except Refused:
            hidden.append(name)
        except Unavailable as error:
            if code_of(error) != KafkaError.UNKNOWN_TOPIC_OR_PART:
                raise
            found.append(ill("topics", name, "is not there", "convoca migrate"))
    return [*found, _not_let("may not see", kafka, hidden)] if hidden else found


async def _configs(admin: AdminClient, names: Sequence[str]) -> tuple[Configs, list[str]]:
    """Give the settings of topics, and those topics of which they are not told to this user."""
    resources = [ConfigResource(ConfigResource.Type.TOPIC, name) for name in names]
    asked: Mapping[ConfigResource, Future[Any]] = {}
    if resources:
        asked = admin.describe_configs(resources, request_timeout=SECONDS_TO_ANSWER)
    configs, shut = {}, []
    for resource, future in asked.items():
        try:
            configs[resource.name] = {name: entry.value for name, entry in (await answered(future)).items()}
        except Refused:
            shut.append(resource.name)
    return configs, shut


def _not_let(what: str, kafka: KafkaSettings, names: Sequence[str]) -> Finding:
    says = f"{kafka.kafka_username or 'this user'} {what} {', '.join(names)}"
    return ill("topics", f"{len(names)}", says, ADMINISTRATOR)


def _partitions(topic: Topic, known: TopicMetadata) -> list[Finding]:
    if len(known.partitions) == topic.partitions:
        return []
    says = f"has {len(known.partitions)} partitions, not {topic.partitions}: each key's order hangs on their number"
    do = "stop the services, delete the topic, `convoca migrate`, start them, and `convoca events replay`"
    return [ill("topics", topic.name, says, do)]


def _settings(topic: Topic, config: Mapping[str, str | None]) -> list[Finding]:
    found = []
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
    for service in [each for each in INBOUND if each in patient.databases]:
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
