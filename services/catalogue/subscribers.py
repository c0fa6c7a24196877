"""What the catalogue follows: what outside systems say of their workshops."""

from services.catalogue import operations
from shared.database import Transaction
from shared.events.catalogue import OutsideWorkshopCancelled, OutsideWorkshopEvent
from shared.events.topics import INBOUND
from shared.messaging.envelope import Envelope
from shared.messaging.follow import Followers
from shared.messaging.publishers import source_of

follow = Followers("catalogue")


@follow(INBOUND["catalogue"], events=OutsideWorkshopEvent)
async def take_outside_workshops(event: OutsideWorkshopEvent, tx: Transaction) -> None:
    """Keep the workshops of outside systems as each states its own."""
    publisher, sequence = _sender(tx.cause)
    match event:
        case OutsideWorkshopCancelled(external_id=external_id, reason=reason):
            await operations.call_off_outside(tx, publisher, external_id, reason, sequence)
        case _:
            await operations.take_outside(tx, publisher, event, sequence)


def _sender(cause: Envelope | None) -> tuple[str, int | None]:
    """Read who sent an event: the bus has made sure that its source is the publisher whose topic it came by."""
    if cause is None:
        message = "an event from outside has an envelope"
        raise ValueError(message)
    return cause.source.removeprefix(source_of("")), cause.sequence
