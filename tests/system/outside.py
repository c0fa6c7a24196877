"""What outside systems say, as CloudEvents of their own, and what they are told of it."""

import secrets
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import httpx
from cloudevents.core.bindings.http import to_binary_event, to_structured_event
from cloudevents.core.v1.event import CloudEvent

from tests.system.stack import Publisher, Stack
from tests.waiting import eventually


async def let_in(stack: Stack, service: str) -> Publisher:
    """Let a system in that nobody has heard of."""
    return await stack.publisher(f"cms-{secrets.token_hex(4)}", service)


def said(publisher: Publisher, kind: str, data: dict[str, Any], **attributes: str) -> CloudEvent:
    """Write an event of a publisher; `attributes` take the place of what it would rightly say."""
    subject = str(data.get("external_id") or uuid4())
    return CloudEvent(
        {
            "id": str(uuid4()),
            "source": publisher.source,
            "type": kind,
            "subject": subject,
            "time": datetime.now(UTC),
            "datacontenttype": "application/json",
            "specversion": "1.0",
            **attributes,
        },
        data,
    )


async def hand_in(stack: Stack, system: Publisher, event: CloudEvent, *, structured: bool = False) -> httpx.Response:
    """Send an event as the CNCF's own library writes it."""
    message = (to_structured_event if structured else to_binary_event)(event)
    headers = {**message.headers, "Authorization": f"Bearer {system.token}"}
    return await stack.http.post(f"/api/{system.service}/events", content=message.body, headers=headers)


async def about(stack: Stack, system: Publisher, event: CloudEvent) -> httpx.Response:
    """Ask what became of it."""
    path = f"/api/{system.service}/events/{quote(event.get_id(), safe='')}"
    return await stack.http.get(path, headers={"Authorization": f"Bearer {system.token}"})


async def became(stack: Stack, system: Publisher, event: CloudEvent, state: str) -> str | None:
    """Wait until it has come to be so, and tell why."""

    async def told() -> dict[str, Any] | None:
        answer = await about(stack, system, event)  # 404, for what is on its way by Kafka
        return answer.json() if answer.is_success and answer.json()["state"] == state else None

    answer = await eventually(told, f"the event to be {state}")
    assert answer is not None
    assert answer["id"] == event.get_id()
    return None if answer["detail"] is None else str(answer["detail"])
