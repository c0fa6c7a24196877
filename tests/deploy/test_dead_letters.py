"""`convoca dead-letters`, as staff and scripts use it on a running stack."""

import asyncio
import json
from typing import Any
from uuid import uuid4

import httpx
import pytest
from aiokafka import AIOKafkaProducer

from tests.deploy.running import Up, convoca, until
from tests.system.offers import workshop

ODD = {"key": b"\x00\xffkey", "value": b'{"title": \xff\x1b[31m', "headers": [("x-odd", b"\xff"), ("x-null", None)]}


def listed(stack: Up, *options: str) -> dict[str, Any]:
    run = convoca("dead-letters", "list", "--service", "catalogue", "--json", *options, folder=stack.folder)
    assert run.returncode == 0, run.stderr
    answer: dict[str, Any] = json.loads(run.stdout)
    return answer


def those_of(stack: Up, topic: str, *options: str) -> list[dict[str, Any]]:
    return [item for item in listed(stack, "--all", *options)["items"] if item["topic"] == topic]


def do(stack: Up, verb: str, number: int, *options: str) -> tuple[int, str, list[str]]:
    run = convoca("dead-letters", verb, str(number), "--service", "catalogue", *options, folder=stack.folder)
    return run.returncode, run.stdout, run.stderr.splitlines()


def send(stack: Up, topic: str, **record: Any) -> None:  # noqa: ANN401 - whatever aiokafka takes
    async def work() -> None:
        producer = AIOKafkaProducer(bootstrap_servers=stack.shown()["kafka"])
        await producer.start()
        await producer.send_and_wait(topic, **record)
        await producer.stop()

    asyncio.run(work())


@pytest.fixture
def topic(stack: Up) -> str:
    """Let a system in, and give the stream on which it writes."""
    name = f"cms-{uuid4().hex[:12]}"
    convoca("publisher", "add", name, "--service", "catalogue", folder=stack.folder)
    return f"inbound.catalogue.{name}"


def test_a_dead_letter_is_shown_byte_for_byte_tried_again_once_and_put_away(stack: Up, topic: str) -> None:
    send(stack, topic, **ODD)
    until(lambda: those_of(stack, topic))
    [item] = those_of(stack, topic)
    assert (item["state"], item["reason"], item["attempts"]) == ("open", "unreadable", 1)
    code, shown, said = do(stack, "show", item["id"], "--json")
    whole = json.loads(shown)
    assert (code, said) == (0, [])
    assert whole == {
        **item,
        "key": {"base64": "AP9rZXk="},
        "value": {"base64": "eyJ0aXRsZSI6IP8bWzMxbQ=="},
        "headers": [{"name": "x-odd", "value": {"base64": "/w=="}}, {"name": "x-null", "value": None}],
    }
    _, readable, _ = do(stack, "show", item["id"])
    assert "\x1b" not in readable
    assert "\\xff" in readable

    assert do(stack, "retry", item["id"])[0] == 0
    until(lambda: those_of(stack, topic))  # it cannot be read now either
    [second] = those_of(stack, topic)
    assert second["id"] != item["id"]
    assert (second["source"], second["event_id"]) == (item["source"], item["event_id"])
    code, out, said = do(stack, "retry", item["id"])
    assert (code, out, len(said)) == (1, "", 1)
    assert "retried before" in said[0]

    assert do(stack, "discard", second["id"])[0] == 0
    for verb in ("discard", "retry"):
        code, out, said = do(stack, verb, second["id"])
        assert (code, out, len(said)) == (1, "", 1)
        assert "discarded before" in said[0]
    assert those_of(stack, topic) == []
    assert [each["state"] for each in those_of(stack, topic, "--state", "any")] == ["retried", "discarded"]


def test_a_stranger_who_is_let_in_afterwards_is_taken_by_a_retry_without_a_restart(stack: Up) -> None:
    name = f"late-{uuid4().hex[:12]}"
    topic, slug = f"inbound.catalogue.{name}", f"late-{uuid4().hex[:8]}"
    stated = workshop(external_id=slug)
    event = [("ce_specversion", b"1.0"), ("ce_id", b"1"), ("ce_type", b"workshop.scheduled")]
    event.append(("ce_source", f"/publishers/{name}".encode()))
    convoca("publisher", "add", name, "--service", "catalogue", folder=stack.folder)
    convoca("publisher", "remove", name, "--service", "catalogue", folder=stack.folder)
    send(stack, topic, value=json.dumps(stated).encode(), headers=event)
    until(lambda: those_of(stack, topic))
    [item] = those_of(stack, topic)
    assert (item["reason"], item["event_id"]) == ("unknown-publisher", "1")
    convoca("publisher", "add", name, "--service", "catalogue", folder=stack.folder)
    assert do(stack, "retry", item["id"])[0] == 0

    def offered() -> bool:
        shown = httpx.get(f"{stack.shown()['url']}/api/catalogue/workshops?limit=1000").json()["items"]
        return [each["external_id"] for each in shown if each["publisher"] == name] == [slug]

    until(offered)


def test_a_list_comes_in_pages(stack: Up, topic: str) -> None:
    for number in range(3):
        send(stack, topic, value=b"nonsense", key=str(number).encode())
    until(lambda: len(those_of(stack, topic)) == 3)
    everything = [item["id"] for item in listed(stack, "--all")["items"]]
    pages, cursor = [], "0"
    while cursor != "None":
        page = listed(stack, "--limit", "2", "--cursor", cursor)
        pages.append([item["id"] for item in page["items"]])
        cursor = str(page["next"])
    assert [number for page in pages for number in page] == everything
    assert all(len(page) <= 2 for page in pages)
    run = convoca("dead-letters", "list", "--service", "catalogue", folder=stack.folder)
    assert len(run.stdout.splitlines()) == len(everything)
    for item in those_of(stack, topic):
        do(stack, "discard", item["id"])


def test_a_letter_that_there_is_not_ends_with_1_and_one_line(stack: Up) -> None:
    for verb in ("show", "retry", "discard"):
        code, out, said = do(stack, verb, 999_999)
        assert (code, out, len(said)) == (1, "", 1)
