"""`convoca dead-letters`, as staff and scripts use it on a running stack."""

import asyncio
import json
from typing import Any
from uuid import uuid4

import httpx
import pytest
from aiokafka import AIOKafkaProducer

from tests.deploy.conftest import Command
from tests.deploy.running import Up, until
from tests.system.offers import workshop

ODD = {"key": b"\x00\xffkey", "value": b'{"title": \xff\x1b[31m', "headers": [("x-odd", b"\xff"), ("x-null", None)]}


class Desk:
    """What staff do about the catalogue's dead letters."""

    def __init__(self, command: Command) -> None:
        self.command = command

    def page(self, *options: str) -> dict[str, Any]:
        """Give a page of the list."""
        code, out, said = self.command("dead-letters", "list", "--service", "catalogue", "--json", *options)
        assert code == 0, said
        answer: dict[str, Any] = json.loads(out)
        return answer

    def of(self, topic: str, *options: str) -> list[dict[str, Any]]:
        """Give those that came by a stream."""
        return [item for item in self.page("--all", *options)["items"] if item["topic"] == topic]

    def do(self, verb: str, number: int, *options: str) -> tuple[int, str, list[str]]:
        """Do something about one: exit code, stdout, and the lines of stderr."""
        code, out, said = self.command("dead-letters", verb, str(number), "--service", "catalogue", *options)
        return code, out, said.splitlines()


@pytest.fixture
def desk(command: Command) -> Desk:
    return Desk(command)


def send(stack: Up, topic: str, **record: Any) -> None:  # noqa: ANN401 - whatever aiokafka takes
    async def work() -> None:
        producer = AIOKafkaProducer(bootstrap_servers=stack.shown()["kafka"])
        await producer.start()
        await producer.send_and_wait(topic, **record)
        await producer.stop()

    asyncio.run(work())


@pytest.fixture
def topic(command: Command) -> str:
    """Let a system in, and give the stream on which it writes."""
    name = f"cms-{uuid4().hex[:12]}"
    command("publisher", "add", name, "--service", "catalogue")
    return f"inbound.catalogue.{name}"


def test_a_dead_letter_is_shown_byte_for_byte_tried_again_once_and_put_away(stack: Up, desk: Desk, topic: str) -> None:
    send(stack, topic, **ODD)
    until(lambda: desk.of(topic))
    [item] = desk.of(topic)
    assert (item["state"], item["reason"], item["attempts"]) == ("open", "unreadable", 1)
    code, shown, said = desk.do("show", item["id"], "--json")
    whole = json.loads(shown)
    assert (code, said) == (0, [])
    assert whole == {
        **item,
        "key": {"base64": "AP9rZXk="},
        "value": {"base64": "eyJ0aXRsZSI6IP8bWzMxbQ=="},
        "headers": [{"name": "x-odd", "value": {"base64": "/w=="}}, {"name": "x-null", "value": None}],
    }
    _, readable, _ = desk.do("show", item["id"])
    assert "\x1b" not in readable
    assert "\\xff" in readable

    assert desk.do("retry", item["id"])[0] == 0
    until(lambda: desk.of(topic))  # it cannot be read now either
    [second] = desk.of(topic)
    assert second["id"] != item["id"]
    assert (second["source"], second["event_id"]) == (item["source"], item["event_id"])
    code, out, said = desk.do("retry", item["id"])
    assert (code, out, len(said)) == (1, "", 1)
    assert "retried before" in said[0]

    assert desk.do("discard", second["id"])[0] == 0
    for verb in ("discard", "retry"):
        code, out, said = desk.do(verb, second["id"])
        assert (code, out, len(said)) == (1, "", 1)
        assert "discarded before" in said[0]
    assert desk.of(topic) == []
    assert [each["state"] for each in desk.of(topic, "--state", "any")] == ["retried", "discarded"]


def test_a_stranger_who_is_let_in_afterwards_is_taken_by_a_retry_without_a_restart(
    stack: Up, desk: Desk, command: Command
) -> None:
    name = f"late-{uuid4().hex[:12]}"
    topic, slug = f"inbound.catalogue.{name}", f"late-{uuid4().hex[:8]}"
    stated = workshop(external_id=slug)
    event = [("ce_specversion", b"1.0"), ("ce_id", b"1"), ("ce_type", b"workshop.scheduled")]
    event.append(("ce_source", f"/publishers/{name}".encode()))
    command("publisher", "add", name, "--service", "catalogue")
    command("publisher", "remove", name, "--service", "catalogue")
    send(stack, topic, value=json.dumps(stated).encode(), headers=event)
    until(lambda: desk.of(topic))
    [item] = desk.of(topic)
    assert (item["reason"], item["event_id"]) == ("unknown-publisher", "1")
    command("publisher", "add", name, "--service", "catalogue")
    assert desk.do("retry", item["id"])[0] == 0

    def offered() -> bool:
        shown = httpx.get(f"{stack.shown()['url']}/api/catalogue/workshops?limit=1000").json()["items"]
        return [each["external_id"] for each in shown if each["publisher"] == name] == [slug]

    until(offered)


def test_a_list_comes_in_pages(stack: Up, desk: Desk, command: Command, topic: str) -> None:
    for number in range(3):
        send(stack, topic, value=b"nonsense", key=str(number).encode())
    until(lambda: len(desk.of(topic)) == 3)
    everything = [item["id"] for item in desk.page("--all")["items"]]
    pages, cursor = [], "0"
    while cursor != "None":
        page = desk.page("--limit", "2", "--cursor", cursor)
        pages.append([item["id"] for item in page["items"]])
        cursor = str(page["next"])
    assert [number for page in pages for number in page] == everything
    assert all(len(page) <= 2 for page in pages)
    _, out, _ = command("dead-letters", "list", "--service", "catalogue")
    assert len(out.splitlines()) == len(everything)
    for item in desk.of(topic):
        desk.do("discard", item["id"])


def test_a_letter_that_there_is_not_ends_with_1_and_one_line(desk: Desk) -> None:
    for verb in ("show", "retry", "discard"):
        code, out, said = desk.do(verb, 999_999)
        assert (code, out, len(said)) == (1, "", 1)
