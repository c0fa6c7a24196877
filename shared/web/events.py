"""CloudEvents over HTTP (HTTP protocol binding 1.0.2): what an outside system may send without Kafka."""

import re
from typing import Literal
from urllib.parse import unquote_to_bytes

from fastapi import APIRouter, HTTPException, Request
from pydantic import BaseModel

from shared.errors import Forbidden, Malformed, NotFound
from shared.events.contract import Json, schema_within
from shared.events.topics import inbound
from shared.messaging import headers, inbox, publishers
from shared.messaging.consume import Consumer
from shared.messaging.dead_letters import Fault
from shared.messaging.envelope import JSON, LONGEST_NAME, STRUCTURED, Headers, Record, media_type
from shared.messaging.opening import look_into
from shared.web.openapi import Refusals, refuses
from shared.web.tokens import REFUSALS_TO_PUBLISHERS, Publisher

ATTRIBUTE = "ce-"
SCHEMAS = "#/components/schemas"
REFUSALS: Refusals = {
    400: ["unreadable", "unknown-type", "invalid"],
    403: ["not-owner"],
    415: ["unsupported-media-type"],
}
_QUOTED = re.compile(rb'"((?:[^"\\]|\\.)*)"', re.DOTALL)  # a quoted-string (RFC 9110, section 5.6.4)
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)


class Receipt(BaseModel):
    """What became of an event; `detail` says why, where that is not plain."""

    id: str
    state: Literal["accepted", "done", "waiting", "refused", "dead-lettered"]
    detail: str | None = None


def router(service: str, consumer: Consumer) -> APIRouter:
    """Make the endpoints by which publishers reach `consumer`, which follows their inbound topics."""
    events = APIRouter(tags=["events"])

    @events.post(
        "/events",
        status_code=202,
        responses=refuses(REFUSALS_TO_PUBLISHERS, REFUSALS),
        openapi_extra=_described(consumer),
    )
    async def publish(request: Request, caller: Publisher) -> Receipt:
        """Take a CloudEvent, in binary or structured mode; 202 once it is in the database."""
        _require_json(request)
        topic = inbound(service, caller.name).name
        record = Record(topic, 0, 0, key=None, value=await request.body(), headers=_headers(request))
        letter = look_into(record, consumer.subscription)
        if letter is None or letter.envelope is None or letter.fault:
            raise _refusal(letter.fault if letter else None)
        await consumer.accept(letter)
        request.app.state.service.tend_now()
        return await _receipt(request, letter.identity)

    @events.get("/events/{event_id:path}", responses=refuses(REFUSALS_TO_PUBLISHERS, {404: ["unknown-event"]}))
    async def follow_up(request: Request, event_id: str, caller: Publisher) -> Receipt:
        """Tell the publisher of an event what became of it."""
        return await _receipt(request, inbox.Identity(publishers.source_of(caller.name), event_id))

    async def _receipt(request: Request, identity: inbox.Identity) -> Receipt:
        outcome = None
        if len(identity.id) <= LONGEST_NAME and "\0" not in identity.id:  # else no event can be called so
            async with request.app.state.service.transaction() as tx:
                outcome = await inbox.outcome_of(tx.session, consumer.subscription.name, identity)
        if outcome is None:
            slug = "unknown-event"
            raise NotFound(slug, "No event of yours with this id has come here.")
        # That it came too late to change anything is an answer of no, to who sent it.
        state = "refused" if outcome.state == "stale" else outcome.state
        return Receipt(id=identity.id, state=state, detail=outcome.detail)

    return events


def schemas(consumer: Consumer) -> dict[str, Json]:
    """Give the schemas of what is taken here, by the names under which the endpoints' description knows them."""
    return {
        each.shape: schema_within(each, f"{SCHEMAS}/{each.shape}") for each in consumer.subscription.events.values()
    }


def _described(consumer: Consumer) -> Json:
    """Describe the two modes, which FastAPI cannot know: the body is read as it comes."""
    attributes = headers.of_outside_events()["properties"]
    data = {"anyOf": [{"$ref": f"{SCHEMAS}/{each.shape}"} for each in consumer.subscription.events.values()]}
    return {
        "parameters": [
            {
                "name": name.replace("ce_", ATTRIBUTE),
                "in": "header",
                "description": f"{rules['description']} In binary mode.",
                "schema": {rule: value for rule, value in rules.items() if rule != "description"},
            }
            for name, rules in attributes.items()
            if name != "content-type"
        ],
        "requestBody": {
            "required": True,
            "description": "The data, whose envelope stands in the headers (binary mode), or the whole event.",
            "content": {
                JSON: {"schema": data},
                STRUCTURED: {"schema": headers.envelope(data)},
            },
        },
    }


def _require_json(request: Request) -> None:
    content_type = media_type(request.headers.get("content-type", "").encode("latin-1"))
    if content_type not in {"", JSON, STRUCTURED}:
        detail = f"Send one event at a time: its data as {JSON} with ce- headers, or the whole of it as {STRUCTURED}."
        raise HTTPException(415, detail)


def _headers(request: Request) -> Headers:
    """Name and write the attributes as on Kafka."""
    named = {"content-type": request.headers.get("content-type", "").encode()}
    for name, value in request.headers.raw:
        plain = name.decode("latin-1").lower()
        if plain.startswith(ATTRIBUTE):
            named[f"ce_{plain.removeprefix(ATTRIBUTE)}"] = _unescaped(value)
        elif plain == "traceparent":
            named[plain] = value
    return tuple(named.items())


def _unescaped(value: bytes) -> bytes:
    """Read the value of a header (section 3.1.3.2): what is quoted first, then one round of percent-decoding."""
    return unquote_to_bytes(_QUOTED.sub(lambda quoted: _ESCAPED.sub(rb"\1", quoted[1]), value))


def _refusal(fault: Fault | None) -> Forbidden | Malformed:
    if fault is None:
        slug = "unknown-type"
        return Malformed(slug, "Events of this type are not taken here.")
    if fault.reason == "not-owner":
        return Forbidden(fault.reason, f"{fault.detail[:1].upper()}{fault.detail[1:]}.")
    return Malformed(fault.reason, fault.detail)
