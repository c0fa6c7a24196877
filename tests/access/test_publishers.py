"""A system that is let in to write has a user of its own, who writes one stream and does nothing else."""

import asyncio
import json
from dataclasses import replace

from confluent_kafka.admin import AclBinding, AclOperation, AclPermissionType, ResourcePatternType, ResourceType

from deploy.kafka.access import access_to
from deploy.kafka.rights import publisher_user
from shared.events.topics import ENROLMENTS, WORKSHOPS, dead_letters
from tests.access.broker import Guarded, acls_of, admin_of
from tests.access.visitor import Visitor
from tests.system.outside import let_in
from tests.system.stack import Stack

ADD = ("publisher", "add")
REFUSED = "TopicAuthorizationFailedError"


async def test_a_publisher_writes_its_own_stream_and_does_nothing_else(stack: Stack, broker: Guarded) -> None:
    other = await let_in(stack, "catalogue")
    printed = await stack.convoca(*ADD, "narrow-cms", "--service", "catalogue", "--json")
    own, cms = "inbound.catalogue.narrow-cms", Visitor.of(printed)
    assert await cms.writes(own) == "written"
    strange = (other.topic, "inbound.registration.narrow-cms", f"{own}.more", WORKSHOPS.name, ENROLMENTS.name)
    for topic in (*strange, dead_letters("catalogue").name):
        assert (topic, await cms.writes(topic)) == (topic, REFUSED)
    for topic in (own, WORKSHOPS.name):
        assert await cms.reads(topic) == REFUSED
        assert await cms.reads(topic, "catalogue.inbound.catalogue") in {REFUSED, "GroupAuthorizationFailedError"}
    assert await cms.sees() == [own]
    granted = acls_of(broker, publisher_user("catalogue", "narrow-cms"))
    assert granted == {("TOPIC", "LITERAL", own, "WRITE")}


async def test_the_same_name_at_two_services_is_two_users(stack: Stack) -> None:
    one, two = [
        Visitor.of(await stack.convoca(*ADD, "twofold", "--service", service, "--json"))
        for service in ("catalogue", "registration")
    ]
    assert (await one.writes("inbound.catalogue.twofold"), await two.writes("inbound.registration.twofold")) == (
        "written",
        "written",
    )
    assert (await one.writes("inbound.registration.twofold"), await two.writes("inbound.catalogue.twofold")) == (
        REFUSED,
        REFUSED,
    )


async def test_who_is_let_in_already_keeps_what_they_have(stack: Stack) -> None:
    add = (*ADD, "early-cms", "--service", "catalogue", "--json")
    printed = await stack.convoca(*add)
    code, out, err = await stack.attempt(*add)
    assert (code, out, len(err.splitlines())) == (1, "", 1)
    assert "early-cms" in err
    assert await Visitor.of(printed).writes("inbound.catalogue.early-cms") == "written"


async def test_who_is_shut_out_neither_logs_in_nor_is_anything_granted_to_them(stack: Stack, broker: Guarded) -> None:
    one = ("left-cms", "--service", "catalogue")
    left = Visitor.of(await stack.convoca(*ADD, *one, "--json"))
    await stack.convoca("publisher", "remove", *one)
    assert await left.writes("inbound.catalogue.left-cms") != "written"
    user = publisher_user("catalogue", "left-cms")
    assert acls_of(broker, user) == set()
    assert not await access_to(broker.as_admin).knows(user)
    code, _, err = await stack.attempt("publisher", "remove", *one)
    assert (code, err) == (1, "convoca: catalogue knows no publisher left-cms\n")
    again = Visitor.of(await stack.convoca(*ADD, *one, "--json"))
    assert (await again.writes("inbound.catalogue.left-cms"), await left.writes("x") == "written") == ("written", False)


async def test_where_the_broker_does_not_make_the_user_nobody_was_let_in(stack: Stack, broker: Guarded) -> None:
    """Ask as an administrator who may make topics and no users, so that the broker refuses after the row is written."""
    await _allow_to_make_topics(broker, "half-admin")
    half = {"CONVOCA_KAFKA_ADMIN_USERNAME": "half-admin", "CONVOCA_KAFKA_ADMIN_PASSWORD": "only-for-tests"}
    halved = replace(stack, naming={**stack.naming, **half})
    add = (*ADD, "half-cms", "--service", "catalogue", "--json")
    code, out, err = await halved.attempt(*add)
    assert (code, out, len(err.splitlines())) == (1, "", 1)
    user = publisher_user("catalogue", "half-cms")
    assert acls_of(broker, user) == set()
    assert not await access_to(broker.as_admin).knows(user)
    assert await Visitor.of(await stack.convoca(*add)).writes("inbound.catalogue.half-cms") == "written"


async def test_of_two_who_let_the_same_system_in_at_once_one_does(stack: Stack) -> None:
    add = (*ADD, "raced-cms", "--service", "catalogue", "--json")
    tried = await asyncio.gather(*(stack.attempt(*add) for _ in range(2)))
    assert {code for code, _, _ in tried} == {0, 1}
    [printed] = [out for code, out, _ in tried if code == 0]
    assert json.loads(printed)["kafka"]["username"] == publisher_user("catalogue", "raced-cms")
    assert await Visitor.of(printed).writes("inbound.catalogue.raced-cms") == "written"


async def _allow_to_make_topics(broker: Guarded, user: str) -> None:
    """Make a user who may make topics and see them, and may write down nothing of users and rights."""
    admin = admin_of(broker)
    everything = "*"
    create = AclBinding(
        restype=ResourceType.TOPIC,
        name=everything,
        resource_pattern_type=ResourcePatternType.LITERAL,
        principal=f"User:{user}",
        host=everything,
        operation=AclOperation.CREATE,
        permission_type=AclPermissionType.ALLOW,
    )
    for made in admin.create_acls([create], request_timeout=10).values():
        await asyncio.wrap_future(made)
    await access_to(broker.as_admin).allow(user, (), "only-for-tests")
