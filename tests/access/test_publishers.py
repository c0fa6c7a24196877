"""A system that is let in to write has a user of its own, who writes one stream and does nothing else."""

import asyncio
import json
from dataclasses import replace

import httpx
import pytest
from confluent_kafka.admin import AclBinding, AclOperation, AclPermissionType, ResourcePatternType, ResourceType

from deploy.cli.outside import Publisher, add_publisher, remove_publisher
from deploy.kafka.access import access_to
from deploy.kafka.rights import publisher_user
from shared.errors import Conflict, Unavailable
from shared.events.topics import ENROLMENTS, WORKSHOPS, dead_letters
from tests.access.broker import Guarded, acls_of, admin_of
from tests.access.running import GuardedStack
from tests.access.visitor import Visitor
from tests.system.offers import workshop
from tests.system.outside import let_in
from tests.system.stack import Stack

REFUSED = "TopicAuthorizationFailedError"


async def test_a_publisher_writes_its_own_stream_and_does_nothing_else(stack: GuardedStack, broker: Guarded) -> None:
    await stack.offer(workshop())
    other, added = await let_in(stack, "catalogue"), await add_publisher(stack.target, "catalogue", "narrow-cms")
    own, cms = "inbound.catalogue.narrow-cms", Visitor.of(added.kafka)
    assert await cms.writes(own) == {"written"}
    strange = (other.topic, "inbound.registration.narrow-cms", f"{own}.more", WORKSHOPS.name, ENROLMENTS.name)
    assert await cms.writes(*strange, dead_letters("catalogue").name) == {REFUSED}
    for topic in (own, WORKSHOPS.name):
        assert await cms.reads(topic) == REFUSED
        assert await cms.reads(topic, "catalogue.inbound.catalogue") in {REFUSED, "GroupAuthorizationFailedError"}
    assert await cms.sees() == [own]
    granted = acls_of(broker, publisher_user("catalogue", "narrow-cms"))
    assert granted == {("TOPIC", "LITERAL", own, "WRITE")}


async def test_the_same_name_at_two_services_is_two_users(stack: GuardedStack) -> None:
    one, two = [
        Visitor.of((await add_publisher(stack.target, service, "twofold")).kafka)
        for service in ("catalogue", "registration")
    ]
    to_one, to_two = "inbound.catalogue.twofold", "inbound.registration.twofold"
    assert (await one.writes(to_one), await two.writes(to_two)) == ({"written"}, {"written"})
    assert (await one.writes(to_two), await two.writes(to_one)) == ({REFUSED}, {REFUSED})


async def test_the_command_lets_a_system_in_once_tells_it_all_and_shuts_it_out(stack: Stack, broker: Guarded) -> None:
    one = ("left-cms", "--service", "catalogue")
    printed = await stack.convoca("publisher", "add", *one, "--json")
    told = json.loads(printed)
    assert list(told) == ["name", "service", "topic", "source", "token", "kafka"]
    assert list(told["kafka"]) == ["servers", "security", "mechanism", "username", "password", "ca"]
    user = publisher_user("catalogue", "left-cms")
    assert told["kafka"] | {"password": ""} == {
        "servers": broker.servers,
        "security": "sasl_plaintext",
        "mechanism": "SCRAM-SHA-512",
        "username": user,
        "password": "",
        "ca": None,
    }
    code, out, err = await stack.attempt("publisher", "add", *one, "--json")
    assert (code, out, len(err.splitlines())) == (1, "", 1)
    assert "left-cms" in err
    left = Publisher.model_validate_json(printed)
    assert await Visitor.of(left.kafka).writes(left.topic) == {"written"}  # the second attempt took nothing away
    await stack.convoca("publisher", "remove", *one)
    assert await Visitor.of(left.kafka).writes(left.topic) != {"written"}
    code, _, err = await stack.attempt("publisher", "remove", *one)
    assert (code, err) == (1, "convoca: catalogue knows no publisher left-cms\n")


async def test_who_is_shut_out_writes_by_neither_way_and_nothing_of_them_is_left(
    stack: GuardedStack, broker: Guarded
) -> None:
    left = await add_publisher(stack.target, "catalogue", "gone-cms")
    assert await Visitor.of(left.kafka).writes(left.topic) == {"written"}
    assert (await _knock(stack, left)).status_code == httpx.codes.UNSUPPORTED_MEDIA_TYPE
    assert await remove_publisher(stack.target, "catalogue", "gone-cms")
    assert await Visitor.of(left.kafka).writes(left.topic) != {"written"}
    assert (await _knock(stack, left)).status_code == httpx.codes.FORBIDDEN
    user = publisher_user("catalogue", "gone-cms")
    assert acls_of(broker, user) == set()
    assert not await access_to(broker.as_admin).knows(user)
    again = await add_publisher(stack.target, "catalogue", "gone-cms")
    assert await Visitor.of(again.kafka).writes(again.topic) == {"written"}
    assert await Visitor.of(left.kafka).writes(left.topic) != {"written"}
    assert (await _knock(stack, left)).status_code == httpx.codes.FORBIDDEN


async def test_who_writes_without_a_pause_is_stopped_where_they_are_shut_out(stack: GuardedStack) -> None:
    """A connection that was let in outlives its user: it is the rights that end it."""
    talker = await add_publisher(stack.target, "catalogue", "talker")
    async with Visitor.of(talker.kafka).writing(talker.topic) as write:
        assert await write() == "written"
        await remove_publisher(stack.target, "catalogue", "talker")
        assert await write() == REFUSED


async def test_where_the_broker_does_not_make_the_user_nobody_was_let_in(stack: GuardedStack, broker: Guarded) -> None:
    """Ask as an administrator who may make topics and no users, so that the broker refuses after the row is written."""
    await _allow_to_make_topics(broker, "half-admin")
    half = {"CONVOCA_KAFKA_ADMIN_USERNAME": "half-admin", "CONVOCA_KAFKA_ADMIN_PASSWORD": "only-for-tests"}
    halved = replace(stack.target, environment={**stack.naming, **half})
    with pytest.raises(Unavailable):
        await add_publisher(halved, "catalogue", "half-cms")
    user = publisher_user("catalogue", "half-cms")
    assert acls_of(broker, user) == set()
    assert not await access_to(broker.as_admin).knows(user)
    whole = await add_publisher(stack.target, "catalogue", "half-cms")
    assert await Visitor.of(whole.kafka).writes(whole.topic) == {"written"}
    with pytest.raises(Unavailable):
        await remove_publisher(halved, "catalogue", "half-cms")
    assert await Visitor.of(whole.kafka).writes(whole.topic) == {"written"}
    assert (await _knock(stack, whole)).status_code == httpx.codes.UNSUPPORTED_MEDIA_TYPE


async def test_of_two_who_let_the_same_system_in_at_once_one_does(stack: GuardedStack) -> None:
    tried = await asyncio.gather(
        *(add_publisher(stack.target, "catalogue", "raced-cms") for _ in range(2)), return_exceptions=True
    )
    assert [type(each) for each in tried if not isinstance(each, Publisher)] == [Conflict]
    [added] = [each for each in tried if isinstance(each, Publisher)]
    assert await Visitor.of(added.kafka).writes(added.topic) == {"written"}


async def _knock(stack: Stack, publisher: Publisher) -> httpx.Response:
    """Send what is no event: 415 to whom the token lets in, 403 to a stranger."""
    headers = {"Authorization": f"Bearer {publisher.token}", "Content-Type": "text/plain"}
    return await stack.http.post("/api/catalogue/events", content=b"is anybody there?", headers=headers)


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
