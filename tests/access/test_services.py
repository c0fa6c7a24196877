"""Each service is a user of its own, who writes its own streams and reads what it follows; it does its work so."""

import asyncio
import json

import pytest

from deploy.kafka.services import FOLLOWERS
from shared.events.topics import OWN, PEOPLE, SERVICES, WORKSHOPS
from tests.access.broker import Guarded, acls_of
from tests.access.running import USERS
from tests.access.visitor import Visitor
from tests.system.offers import workshop
from tests.system.outside import let_in, said
from tests.system.people import Person, request
from tests.system.stack import Mail, Stack, Workshop
from tests.waiting import eventually

REFUSED = "TopicAuthorizationFailedError"


@pytest.mark.parametrize("service", SERVICES)
async def test_a_service_writes_its_own_streams_and_no_other(stack: Stack, broker: Guarded, service: str) -> None:
    granted = acls_of(broker, service)
    written = {name for kind, _, name, operation in granted if (kind, operation) == ("TOPIC", "WRITE")}
    assert written == {topic.name for topic in OWN[service]}
    assert {operation for *_, operation in granted} == {"READ", "WRITE"}
    groups = {name for kind, _, name, _ in granted if kind == "GROUP"}
    assert groups == {each.group for each in FOLLOWERS[service].subscriptions}
    prefixed = {name for _, pattern, name, _ in granted if pattern == "PREFIXED"}
    assert prefixed == ({f"inbound.{service}."} if service != "notifications" else set())
    visitor = Visitor(broker.as_user(service, USERS[service]))
    cms = await let_in(stack, "catalogue")
    strange = [topic.name for other in SERVICES if other != service for topic in OWN[other]]
    assert await visitor.writes(*strange, cms.topic) == {REFUSED}
    assert await visitor.may_read(PEOPLE.name) == (service == "notifications")


async def test_to_migrate_again_and_side_by_side_changes_nothing(stack: Stack, broker: Guarded) -> None:
    before = {service: acls_of(broker, service) for service in SERVICES}
    tried = await asyncio.gather(*(stack.attempt("migrate") for _ in range(2)))
    assert [code for code, _, _ in tried] == [0, 0]
    assert {service: acls_of(broker, service) for service in SERVICES} == before


async def test_what_an_outside_system_says_has_its_way_through_all_services(stack: Stack) -> None:
    """The streams of these two are made after the services have started: they are found without a restart."""
    cms, crm = await let_in(stack, "catalogue"), await let_in(stack, "registration")
    stated, person = workshop(external_id="spring"), Person("Nil")
    await stack.bus.publish(cms.topic, said(cms, "workshop.scheduled", stated))
    asked = request({"publisher": cms.name, "external_id": "spring"}, person)
    await stack.bus.publish(crm.topic, said(crm, "enrolment.requested", asked))
    (mail,) = await stack.told(person, 1)
    assert stated["title"]["ca"] in mail.subject
    assert [each.external_id for each in await stack.workshops(cms)] == ["spring"]


async def test_a_dead_letter_is_laid_down_and_told_of(stack: Stack) -> None:
    cms = await let_in(stack, "catalogue")
    await stack.bus.publish(cms.topic, said(cms, "workshop.invented", {"external_id": "spring"}))

    async def told() -> list[Mail]:
        return [mail for mail in await stack.mailbox() if "in catalogue: unknown-type" in mail.subject]

    (mail,) = await eventually(told, "staff to be told")
    assert cms.topic in mail.text


async def test_a_workshop_that_staff_put_on_offer_is_on_the_stream(stack: Stack) -> None:
    made: Workshop = await stack.offer(workshop())
    keys = [record.key for record in await stack.bus.records(WORKSHOPS.name)]
    assert str(made.id).encode() in keys


async def test_a_service_says_again_what_it_has_said_as_the_user_that_it_is(stack: Stack) -> None:
    made: Workshop = await stack.offer(workshop())
    asked = ("events", "replay", "--service", "catalogue", "--topic", WORKSHOPS.name, "--json")
    counted = json.loads(await stack.convoca(*asked, "--dry-run"))
    done = json.loads(await stack.convoca(*asked))
    assert done == counted | {"dry_run": False}
    mine = [each for each in await stack.bus.records(WORKSHOPS.name) if each.key == str(made.id).encode()]
    assert [each.header("ce_id") for each in mine] == [mine[0].header("ce_id")] * 2
