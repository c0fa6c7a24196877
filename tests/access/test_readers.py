"""A system that is let in to read reads the streams that were named, in groups of its own, and does nothing else."""

import json

import pytest

from deploy.cli.outside import Reader, add_reader, remove_reader
from deploy.kafka.access import access_to
from deploy.kafka.rights import reader_user
from shared.errors import Conflict, Invalid
from shared.events.topics import ENROLMENTS, JOINING, PEOPLE, SEATS, SERVICES, WORKSHOPS, dead_letters
from tests.access.broker import Guarded, acls_of
from tests.access.running import GuardedStack
from tests.access.visitor import Visitor
from tests.system.offers import workshop
from tests.system.outside import let_in
from tests.system.stack import Stack

REFUSED = "TopicAuthorizationFailedError"
NO_GROUP = "GroupAuthorizationFailedError"


async def test_a_reader_reads_what_was_named_in_groups_of_its_own(stack: GuardedStack, broker: Guarded) -> None:
    await stack.offer(workshop())
    added = await add_reader(stack.target, "site-of-vic", [WORKSHOPS.name, SEATS.name, WORKSHOPS.name])
    assert added.topics == [WORKSHOPS.name, SEATS.name]
    site = Visitor.of(added.kafka)
    for group in (None, "site-of-vic", "site-of-vic.cache"):
        assert await site.reads(WORKSHOPS.name, group) == "read"
    for group in ("site-of-vics", "registration", "other"):
        assert await site.reads(WORKSHOPS.name, group) == NO_GROUP
    cms = await let_in(stack, "catalogue")
    for topic in (PEOPLE.name, JOINING.name, ENROLMENTS.name, cms.topic, dead_letters("registration").name):
        assert (topic, await site.reads(topic)) == (topic, REFUSED)
    assert await site.writes(WORKSHOPS.name) == {REFUSED}
    assert await site.sees() == sorted([WORKSHOPS.name, SEATS.name])
    assert acls_of(broker, reader_user("site-of-vic")) == {
        ("TOPIC", "LITERAL", WORKSHOPS.name, "READ"),
        ("TOPIC", "LITERAL", SEATS.name, "READ"),
        ("GROUP", "LITERAL", "site-of-vic", "READ"),
        ("GROUP", "PREFIXED", "site-of-vic.", "READ"),
    }


@pytest.mark.parametrize(
    "topic",
    [
        *(PEOPLE.name, JOINING.name, "inbound.catalogue.my-cms", "inbound.registration", "dead-letters.catalogue"),
        *("catalogue.incidents", "catalogue.nonsense", "*", "__consumer_offsets", "registration.", ""),
    ],
)
async def test_what_is_not_for_outside_systems_is_refused(stack: GuardedStack, broker: Guarded, topic: str) -> None:
    with pytest.raises(Invalid) as refused:
        await add_reader(stack.target, "curious", [WORKSHOPS.name, topic])
    assert refused.value.detail.startswith(f"not for outside systems to read: {topic!r}; ")
    assert acls_of(broker, reader_user("curious")) == set()
    assert not await access_to(broker.as_admin).knows(reader_user("curious"))


@pytest.mark.parametrize("name", [*SERVICES, "Board", "a.b", "", "a" * 61])
async def test_a_reader_is_not_called_like_a_service_whose_groups_it_could_join(stack: GuardedStack, name: str) -> None:
    with pytest.raises(Invalid):
        await add_reader(stack.target, name, [WORKSHOPS.name])


async def test_a_reader_that_is_there_keeps_what_it_has_until_it_is_removed(
    stack: GuardedStack, broker: Guarded
) -> None:
    await stack.offer(workshop())
    board = Visitor.of((await add_reader(stack.target, "board", [WORKSHOPS.name])).kafka)
    with pytest.raises(Conflict):
        await add_reader(stack.target, "board", [SEATS.name])
    assert await board.reads(WORKSHOPS.name, "board") == "read"
    assert await remove_reader(stack.target, "board")
    assert await board.reads(WORKSHOPS.name, "board") != "read"
    assert acls_of(broker, reader_user("board")) == set()
    assert not await remove_reader(stack.target, "board")
    other = Visitor.of((await add_reader(stack.target, "board", [SEATS.name])).kafka)
    assert (await other.reads(SEATS.name), await other.reads(WORKSHOPS.name)) == ("read", REFUSED)


async def test_the_command_lets_a_reader_in_and_shuts_it_out(stack: Stack, broker: Guarded) -> None:
    await stack.offer(workshop())
    add = ("reader", "add", "agenda", "--topic", WORKSHOPS.name, "--json")
    code, out, err = await stack.attempt(*add, "--topic", PEOPLE.name)
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    printed = await stack.convoca(*add)
    told = json.loads(printed)
    assert (list(told), told["name"], told["topics"], told["groups"]) == (
        ["name", "topics", "groups", "kafka"],
        "agenda",
        [WORKSHOPS.name],
        "agenda",
    )
    assert told["kafka"]["servers"] == broker.servers
    agenda = Visitor.of(Reader.model_validate_json(printed).kafka)
    assert await agenda.reads(WORKSHOPS.name, "agenda") == "read"
    await stack.convoca("reader", "remove", "agenda")
    assert await agenda.reads(WORKSHOPS.name) != "read"
