"""Events over HTTP: taken into the database at once, and from there the way of those from Kafka."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from cloudevents.core.bindings.http import to_binary_event, to_structured_event
from cloudevents.core.v1.event import CloudEvent

from shared.errors import Conflict, Forbidden
from tests.transport.conftest import fact, unknown, with_headers
from tests.transport.http.conftest import OWN, Door

LARGEST = 256 * 1024


ENDLESS = b"[" * 100_000
NO_TEXT: tuple[object, ...] = (5, None, [], "", "x" * 501)
NO_FACT: tuple[object, ...] = (None, [], "{}", 5, {"name": "a\0b"}, {"na\0me": 1})


def slug_of(answer: httpx.Response) -> str:
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == answer.status_code
    return str(answer.json()["type"]).rpartition(":")[2]


async def test_an_event_is_accepted_and_then_done(door: Door) -> None:
    answer = await door.post(id="e-1")
    assert (answer.status_code, answer.json()) == (202, {"id": "e-1", "state": "accepted", "detail": None})
    await door.rig.consumer.tend()
    assert await door.rig.names() == ["Vic"]
    assert await door.state("e-1") == ("done", None)


async def test_a_structured_event_is_accepted(door: Door) -> None:
    answer = await door.post_whole(door.whole("Olot"), "application/CloudEvents+JSON; charset=UTF-8")
    assert answer.status_code == 202
    await door.rig.consumer.tend()
    assert await door.rig.names() == ["Olot"]


@pytest.mark.parametrize("write", [to_binary_event, to_structured_event], ids=["binary mode", "structured mode"])
async def test_an_event_is_read_as_the_cncfs_own_library_writes_it(door: Door, write: Any) -> None:  # noqa: ANN401
    told = fact("Sant Boi")
    event_id = '2041/"spring" à 100 %25; ✓'
    attributes = {"id": event_id, "source": OWN, "type": told.type, "specversion": "1.0", "subject": "Núria"}
    message = write(CloudEvent({**attributes, "datacontenttype": "application/json"}, told.model_dump(mode="json")))
    headers = {**message.headers, "authorization": f"Bearer {door.token}"}
    answer = await door.client.post("/events", content=message.body, headers=headers)
    assert (answer.status_code, answer.json()["id"]) == (202, event_id)
    await door.rig.consumer.tend()
    assert (await door.rig.names(), await door.state(event_id)) == (["Sant Boi"], ("done", None))


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("Euro%20%E2%82%AC%20%F0%9F%98%80", "Euro € 😀"),
        ('"a \\"quoted\\" one"', 'a "quoted" one'),
        ('"with%2Fboth"', "with/both"),
        ("once%2525only", "once%25only"),
        ("not%zzhex", "not%zzhex"),
    ],
)
async def test_a_header_is_unquoted_and_percent_decoded_once(door: Door, written: str, meant: str) -> None:
    assert (await door.post(id=written)).json()["id"] == meant


async def test_an_event_that_comes_again_by_either_way_is_done_once(door: Door) -> None:
    await door.post(id="e-1")
    assert (await door.post(id="e-1")).status_code == 202
    await door.rig.consumer.take([door.said("Vic", event_id="e-1")])
    await door.rig.consumer.tend()
    await door.rig.consumer.take([door.said("Olot", event_id="e-2")])
    again = await door.post(id="e-2", name="Olot")
    assert (again.status_code, again.json()["state"]) == (202, "done")
    await door.rig.consumer.tend()
    assert await door.rig.names() == ["Vic", "Olot"]


async def test_what_became_of_an_event_is_told_to_its_publisher_with_the_reason(door: Door) -> None:
    door.rig.effects.faults = {
        "early": unknown(),
        "late": Conflict("not-open", "Enrolment has closed."),
        "twice": Conflict("already-enrolled", "This person is enrolled already."),
        "strange": Forbidden("not-yours", "This is another's."),
    }
    for name in door.rig.effects.faults:
        await door.post(id=name, name=name)
    await door.rig.consumer.tend()
    assert await door.state("early") == ("waiting", "unknown-workshop")
    assert await door.state("late") == ("refused", "not-open: Enrolment has closed.")
    assert await door.state("twice") == ("refused", "already-enrolled: This person is enrolled already.")
    assert await door.state("strange") == ("dead-lettered", "not-yours: This is another's.")
    assert [letter.topic for letter in await door.rig.dead_letters()] == ["dead-letters.registration"]


async def test_what_came_over_kafka_is_told_of_too(door: Door) -> None:
    await door.rig.consumer.take([with_headers(door.said("Vic", event_id="e-1"), ce_type=b"unheard.of")])
    assert await door.state("e-1") == ("dead-lettered", "unknown-type: events of this type are not taken here")


async def test_of_one_subject_a_later_event_waits_for_the_earlier_by_either_way(door: Door) -> None:
    door.rig.effects.faults = {"first": unknown()}
    subject = uuid4()
    await door.post(id="e-1", name="first", subject=str(subject))
    await door.post(id="e-2", name="second", subject=str(subject))
    await door.rig.consumer.take([door.said("third", event_id="e-3", key=subject)])
    await door.post(id="e-4", name="another")
    await door.rig.consumer.tend()
    assert await door.rig.names() == ["another"]
    door.rig.effects.faults = {}
    door.rig.clock.forward(timedelta(minutes=1))
    await door.rig.consumer.tend()
    assert await door.rig.names() == ["another", "first", "second", "third"]


async def test_what_is_wrong_is_said_and_nothing_is_kept(door: Door) -> None:
    refusals: dict[tuple[int, str], list[dict[str, str]]] = {
        (400, "invalid"): [{"data": "{"}, {"data": '{"name": 5}'}, {"data": ""}, {"data": "[" * 100_000}],
        (400, "unknown-type"): [{"type": "unheard.of"}],
        (400, "unreadable"): [
            {"specversion": "0.3"},
            *({name: ""} for name in ("id", "source", "type", "specversion")),
            *({name: "x" * 501} for name in ("id", "source", "type", "subject", "correlationid")),
            *({"time": time} for time in ("", "yesterday", "2041-02-30T00:00:00Z", "2041-01-01T00:00:00", "2041-W01")),
            *({"sequence": number} for number in ("-1", "1_0", "%D9%A3", str(2**63), "9" * 5000)),
            *({"id": f"e{escape}"} for escape in ("%00", "%0D%0A", "%7F", "%FF", "%C2%85")),
        ],
        (403, "not-owner"): [{"source": "/publishers/other"}, {"source": f"{OWN}/"}, {"source": "%2Fpublishers%2Fcmx"}],
        (403, "unknown-token"): [{"token": "wrong"}],
        (403, "wrong-scope"): [{"token": "of-staff"}],
        (413, "too-large"): [{"data": "x" * (LARGEST + 1)}],
    }
    for expected, requests in refusals.items():
        for changes in requests:
            answer = await door.post(**changes)
            assert (answer.status_code, slug_of(answer)) == expected, changes
    stranger = await door.client.post("/events", content=b"{}")
    assert (stranger.status_code, slug_of(stranger)) == (401, "no-token")
    assert await door.rig.outcomes() == []


async def test_a_structured_event_that_is_wrong_is_refused(door: Door) -> None:
    whole = door.whole("Vic")
    without = {name: value for name, value in whole.items() if name != "data"}
    for wrong in (
        *(b"", b"{", ENDLESS, b"\xff", b'{"id": "\\ud800"}', b"[]", b"null"),
        *(whole | {name: value} for name in ("id", "source", "type") for value in NO_TEXT),
        *(whole | {"specversion": value} for value in (1.0, 1, "1.1")),
        *(whole | {"datacontenttype": value} for value in ("text/xml", 5)),
        *(without, without | {"data_base64": "é"}, without | {"data_base64": "e30"}, without | {"data_base64": 5}),
        *(whole | {"data": value} for value in NO_FACT),
        whole | {"id": "e\0"},
    ):
        answer = await door.post_whole(wrong)
        assert (answer.status_code, slug_of(answer)) in {(400, "unreadable"), (400, "invalid")}, wrong
    assert await door.rig.outcomes() == []


@pytest.mark.parametrize(
    "media", ["application/cloudevents-batch+json", "application/cloudevents+avro", "text/plain", "x", "json"]
)
async def test_what_is_not_one_event_in_json_is_refused_as_such(door: Door, media: str) -> None:
    answer = await door.post_whole([door.whole("Vic")], media)
    assert (answer.status_code, slug_of(answer)) == (415, "unsupported-media-type")
    assert "one event at a time" in answer.json()["detail"]
    assert await door.rig.outcomes() == []


async def test_a_body_that_does_not_say_its_size_is_read_no_further_than_is_allowed(door: Door) -> None:
    pieces = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal pieces
        while True:
            pieces += 1
            yield b" " * 16_384

    headers = {"authorization": f"Bearer {door.token}", "content-type": "application/cloudevents+json"}
    answer = await door.client.post("/events", content=endless(), headers=headers)
    assert (answer.status_code, slug_of(answer)) == (413, "too-large")
    assert pieces == LARGEST // 16_384 + 1


async def test_who_asks_for_an_event_that_is_not_theirs_hears_of_none(door: Door) -> None:
    await door.post(id="e-1")
    for event_id, token in (
        *(("e-1", door.other), ("e-2", door.token)),
        *(("e%00", door.token), ("e\0", door.token), ("x" * 5000, door.token), ("a/../b", door.token)),
    ):
        answer = await door.about(event_id, token=token)
        assert (answer.status_code, slug_of(answer)) == (404, "unknown-event")
    for token, expected in (("wrong", (403, "unknown-token")), ("of-staff", (403, "wrong-scope"))):
        answer = await door.about("e-1", token=token)
        assert (answer.status_code, slug_of(answer)) == expected
    assert slug_of(await door.client.get("/events/e-1")) == "no-token"
