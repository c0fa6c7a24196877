"""What outside systems say, as CloudEvents of their own."""

import secrets
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from cloudevents.core.v1.event import CloudEvent

from tests.system.stack import Publisher, Stack


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
