"""The way by which records come to registration's consumers, and what outside systems say."""

from typing import Any
from uuid import UUID

from services.registration.subscribers import follow
from shared.events.base import Event
from shared.events.registration import EnrolmentRequested, OutsideReference
from shared.messaging import publishers
from shared.messaging.consume import Consumer
from shared.messaging.envelope import Record, seal
from tests.operations.registration.conftest import Desk, form

CMS = "inbound.registration.demo-cms"
INBOUND = "inbound.registration"


class Bus:
    """Delivers records to registration's consumers."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.consumers = {
            each.topics[0].name: Consumer(each, desk.database, desk.clock) for each in follow.subscriptions
        }
        self.offset = 0

    def record(self, event: Event, key: UUID | str, sequence: int | None = None, topic: str | None = None) -> Record:
        """Make the record that carries an event; from outside it is its publisher's."""
        publisher = publishers.publisher_of(topic or "")
        source = publishers.source_of(publisher) if publisher else "/convoca/catalogue"
        message = seal(event, source=source, key=key, sequence=sequence, now=self.desk.clock())
        self.offset += 1
        return Record(topic or message.topic, 0, self.offset, message.key, message.value, message.headers)

    async def deliver(self, *records: Record) -> None:
        """Hand records over in one batch."""
        name = INBOUND if records[0].topic.startswith(INBOUND) else records[0].topic
        await self.consumers[name].take(records)

    async def became(self, *records: Record) -> list[tuple[str, str | None]]:
        """Tell what became of records from outside: each outcome, and its reason in one word."""
        rows = await self.desk.rows(
            "SELECT source, id, outcome, detail FROM inbox WHERE consumer = 'registration.inbound.registration'"
        )
        said = {(row["source"], row["id"]): (row["outcome"], _reason(row["detail"])) for row in rows}
        return [said[f"/publishers/{publishers.publisher_of(each.topic)}", id_of(each)] for each in records]


async def let_in(desk: Desk, *names: str) -> None:
    """Let the CMS write, or those named."""
    async with desk.database.transaction(desk.clock()) as tx:
        for name in names or ("demo-cms",):
            await publishers.add(tx.session, name, desk.clock())


def request(workshop_id: UUID | OutsideReference, name: str, **changes: Any) -> EnrolmentRequested:  # noqa: ANN401
    """Make what the CMS sends when `name` wants to come."""
    fields = form(name, **changes).model_dump()
    return EnrolmentRequested.model_validate(
        fields | {"workshop_id": workshop_id, "requested_at": "2020-01-01T00:00:00Z"}
    )


def id_of(record: Record) -> str:
    """Give the id of the event that a record carries."""
    return (dict(record.headers)["ce_id"] or b"").decode()


def _reason(detail: str | None) -> str | None:
    return detail and detail.partition(":")[0]
