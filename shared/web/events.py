"""CloudEvents over HTTP (HTTP protocol binding 1.0.2): what an outside system may send without Kafka."""

from typing import Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel

from shared.errors import Forbidden, Malformed, NotFound
from shared.events.topics import inbound
from shared.messaging import inbox, publishers
from shared.messaging.consume import Consumer
from shared.messaging.dead_letters import Fault
from shared.messaging.envelope import Headers, Record
from shared.web.tokens import Publisher

ATTRIBUTE = "ce-"


class Receipt(BaseModel):
    """What became of an event; `detail` says why, where that is not plain."""

    id: str
    state: Literal["accepted", "done", "waiting", "refused", "dead-lettered"]
    detail: str | None = None


def router(service: str, consumer: Consumer) -> APIRouter:
    """Make the endpoints by which publishers reach `consumer`, which follows their inbound topics."""
    events = APIRouter(tags=["events"])

    @events.post("/events", status_code=202)
    async def publish(request: Request, caller: Publisher) -> Receipt:
        """Take a CloudEvent, in binary or structured mode; 202 once it is in the database."""
        record = Record(
            topic=inbound(service, caller.name).name,
            partition=0,
            offset=0,
            key=None,
            value=await request.body(),
            headers=_headers(request),
        )
        letter = consumer.open(record)
        if letter is None or letter.envelope is None or letter.fault:
            raise _refusal(letter.fault if letter else None)
        await consumer.accept(letter)
        request.app.state.service.tend_now()
        return await _receipt(request, letter.identity)

    @events.get("/events/{event_id}")
    async def follow_up(request: Request, event_id: str, caller: Publisher) -> Receipt:
        """Tell the publisher of an event what became of it."""
        return await _receipt(request, inbox.Identity(publishers.source_of(caller.name), event_id))

    async def _receipt(request: Request, identity: inbox.Identity) -> Receipt:
        async with request.app.state.service.transaction() as tx:
            outcome = await inbox.outcome_of(tx.session, consumer.subscription.name, identity)
        if outcome is None:
            slug = "unknown-event"
            raise NotFound(slug, "No event of yours with this id has come here.")
        # That it came too late to change anything is an answer of no, to who sent it.
        state = "refused" if outcome.state == "stale" else outcome.state
        return Receipt(id=identity.id, state=state, detail=outcome.detail)

    return events


def _headers(request: Request) -> Headers:
    """Name the attributes as they are named on Kafka."""
    named = {"content-type": request.headers.get("content-type", "").encode()}
    for name, value in request.headers.raw:
        plain = name.decode("latin-1").lower()
        if plain.startswith(ATTRIBUTE):
            named[f"ce_{plain.removeprefix(ATTRIBUTE)}"] = value
        elif plain == "traceparent":
            named[plain] = value
    return tuple(named.items())


def _refusal(fault: Fault | None) -> Forbidden | Malformed:
    if fault is None:
        slug = "unknown-type"
        return Malformed(slug, "Events of this type are not taken here.")
    if fault.reason == "not-owner":
        return Forbidden(fault.reason, f"{fault.detail[:1].upper()}{fault.detail[1:]}.")
    return Malformed(fault.reason, fault.detail)
