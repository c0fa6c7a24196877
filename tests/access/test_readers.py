"""A system that is let in to read reads the streams that were named, in groups of its own, and does nothing else."""

import json

import pytest

from deploy.kafka.access import access_to
from deploy.kafka.rights import reader_user
from shared.events.topics import ENROLMENTS, JOINING, PEOPLE, SEATS, WORKSHOPS, dead_letters
from tests.access.broker import Guarded, acls_of
from tests.access.visitor import Visitor
from tests.system.offers import workshop
from tests.system.outside import let_in
from tests.system.stack import Stack

REFUSED = "TopicAuthorizationFailedError"
NO_GROUP = "GroupAuthorizationFailedError"


async def test_a_reader_reads_what_was_named_in_groups_of_its_own(stack: Stack, broker: Guarded) -> None:
    await stack.offer(workshop())
    named = ("--topic", WORKSHOPS.name, "--topic", SEATS.name)
    printed = await stack.convoca("reader", "add", "city-site", *named, "--json")
    told = json.loads(printed)
    assert (told["name"], told["topics"]) == ("city-site", [WORKSHOPS.name, SEATS.name])
    site = Visitor.of(printed)
    for group in (None, "city-site", "city-site.cache"):
        assert await site.reads(WORKSHOPS.name, group) == "read"
    for group in ("city-sites", "registration.catalogue.workshops", "other"):
        assert await site.reads(WORKSHOPS.name, group) == NO_GROUP
    cms = await let_in(stack, "catalogue")
    for topic in (PEOPLE.name, JOINING.name, ENROLMENTS.name, cms.topic, dead_letters("registration").name):
        assert (topic, await site.reads(topic)) == (topic, REFUSED)
    assert await site.writes(WORKSHOPS.name) == REFUSED
    assert await site.sees() == sorted([WORKSHOPS.name, SEATS.name])
    assert acls_of(broker, reader_user("city-site")) == {
        ("TOPIC", "LITERAL", WORKSHOPS.name, "READ"),
        ("TOPIC", "LITERAL", SEATS.name, "READ"),
        ("GROUP", "LITERAL", "city-site", "READ"),
        ("GROUP", "PREFIXED", "city-site.", "READ"),
    }


@pytest.mark.parametrize(
    "topic",
    [
        *(PEOPLE.name, JOINING.name, "inbound.catalogue.my-cms", "inbound.registration", "dead-letters.catalogue"),
        *("catalogue.nonsense", "*", "__consumer_offsets", "registration.", ""),
    ],
)
async def test_what_is_not_for_outside_systems_is_refused(stack: Stack, broker: Guarded, topic: str) -> None:
    code, out, err = await stack.attempt("reader", "add", "curious", "--topic", WORKSHOPS.name, "--topic", topic)
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert err.startswith(f"convoca: {topic} is no stream")
    assert acls_of(broker, reader_user("curious")) == set()
    assert not await access_to(broker.as_admin).knows(reader_user("curious"))


async def test_a_reader_is_not_called_like_a_service_whose_groups_it_could_join(stack: Stack) -> None:
    code, _, err = await stack.attempt("reader", "add", "registration", "--topic", WORKSHOPS.name)
    assert (code, len(err.splitlines())) == (2, 1)


async def test_a_reader_that_is_there_keeps_what_it_has_until_it_is_removed(stack: Stack, broker: Guarded) -> None:
    await stack.offer(workshop())
    add = ("reader", "add", "board", "--json", "--topic")
    board = Visitor.of(await stack.convoca(*add, WORKSHOPS.name))
    code, out, err = await stack.attempt(*add, SEATS.name)
    assert (code, out, len(err.splitlines())) == (1, "", 1)
    assert await board.reads(WORKSHOPS.name, "board") == "read"
    await stack.convoca("reader", "remove", "board")
    assert await board.reads(WORKSHOPS.name, "board") != "read"
    assert acls_of(broker, reader_user("board")) == set()
    assert (await stack.attempt("reader", "remove", "board"))[0] == 1
    other = Visitor.of(await stack.convoca(*add, SEATS.name))
    assert (await other.reads(SEATS.name), await other.reads(WORKSHOPS.name)) == ("read", REFUSED)
