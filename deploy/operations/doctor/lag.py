"""How far each consumer is behind; one that has something to take, and does not, is found."""

from collections.abc import Collection
from datetime import UTC, datetime

from aiokafka.errors import KafkaError

from deploy.kafka.admin import SECONDS_TO_ANSWER, Refused, admin_client, answered
from deploy.kafka.services import FOLLOWERS
from deploy.operations.doctor.findings import ADMINISTRATOR, Finding, Patient, ill, lasting, well
from deploy.operations.doctor.streams import that_answers
from deploy.operations.places import acknowledged, behind
from shared.errors import Unavailable
from shared.events.topics import SERVICES
from shared.messaging.follow import Subscription
from shared.settings import KafkaSettings


async def of_lag(patient: Patient) -> list[Finding]:
    """Look at each consumer group that the broker lets this user look at."""
    kafka = await that_answers(patient)
    if kafka is None:
        return []
    followed = [(service, each) for service in SERVICES for each in FOLLOWERS[service].subscriptions]
    shut = await _shut(kafka, {each.group for _, each in followed})
    found = [await _lag(patient, kafka, service, each) for service, each in followed if each.group not in shut]
    if shut:
        says = f"{kafka.kafka_username or 'this user'} may not see how far these have come: {', '.join(shut)}"
        found.append(ill("lag", f"{len(shut)} groups", says, ADMINISTRATOR))
    return found


async def _shut(kafka: KafkaSettings, groups: Collection[str]) -> list[str]:
    """Name the groups that are not shown; asked first, for who sees none of a group's topics hears of no refusal."""
    admin = admin_client(kafka)  # by its name, for a client that nobody holds gives up what it was asked
    shut = []
    for group, future in admin.describe_consumer_groups(sorted(groups), request_timeout=SECONDS_TO_ANSWER).items():
        try:
            await answered(future)
        except Refused:
            shut.append(group)
        except Unavailable:
            continue  # as of one that has taken nothing yet: what is wrong, if anything is, the look at it says
    return shut


async def _lag(patient: Patient, kafka: KafkaSettings, service: str, followed: Subscription) -> Finding:
    try:
        late = await behind(kafka, await acknowledged(kafka, followed.group, followed.follows))
    except KafkaError as error:
        do = "see what else is found of Kafka; else this is a bug"
        return ill("lag", followed.name, f"could not be looked at: {type(error).__name__}", do)
    since = min((each.since for each in late.values() if each.since is not None), default=None)
    if since is None:
        return well("lag", followed.name, "has taken everything")
    waits = patient.clock() - datetime.fromtimestamp(since / 1000, UTC)
    says = f"{sum(each.records for each in late.values())} records to take, the oldest waits for {lasting(waits)}"
    if waits > patient.limits.waits_to_be_taken:
        do = f"see that {service} runs and is ready, and `lag grows` in deploy/RUNBOOK.md"
        return ill("lag", followed.name, says, do)
    return well("lag", followed.name, says)
