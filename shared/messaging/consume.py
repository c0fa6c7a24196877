"""The one policy by which every stream is taken: each event once, each fault its own, nothing lost.

A batch is one transaction: the inbox first, then the handler, its messages with it. Where that fails the records
are taken one by one, so that a bad one costs only itself.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

import structlog

from shared.database import Database, Transaction, passes
from shared.errors import Problem
from shared.events.base import Event
from shared.messaging import dead_letters, inbox, parking, publishers, seen
from shared.messaging.dead_letters import Fault
from shared.messaging.envelope import Envelope, Record
from shared.messaging.follow import Delivery, Refused, Stale, Subscription, Verdict, Waits, verdict_on
from shared.messaging.opening import Opened, look_into, position_of
from shared.observability import EVENTS, RETRIES, where

log = structlog.get_logger()
TRIES = 3
"""How often a record is tried that fails for a reason of our own making, before it is a dead letter."""


class _Answered(Exception):  # noqa: N818 - no error: it carries a verdict out of a transaction that must be undone
    def __init__(self, verdict: Verdict) -> None:
        super().__init__()
        self.verdict = verdict


class _OutOfOrder(Exception):  # noqa: N818
    """An event must wait that has a later one of its key in the same batch."""


class Consumer:
    """Takes the records of one subscription, according to the policy."""

    def __init__(self, subscription: Subscription, database: Database, clock: Callable[[], datetime]) -> None:
        self.subscription = subscription
        self.database = database
        self.clock = clock

    async def take(self, records: Sequence[Record]) -> None:
        """Settle every record; raises only what passes (database, network), and then nothing of it is lost."""
        opened = [letter for record in records if (letter := look_into(record, self.subscription))]
        if not opened:
            return
        try:
            await self._together(opened)
        except Exception as error:
            if passes(error):
                raise
            for letter in opened:
                await self._alone(letter)

    async def accept(self, letter: Opened) -> None:
        """Take an event that came otherwise than by Kafka: from here on it goes the way of one that waits, due at once.

        It shares its identity with the same event on Kafka, and its subject is its key, as it would be there; one that
        is known is left as it is. `letter` has no fault.
        """
        subject = letter.envelope and letter.envelope.subject
        record = replace(letter.record, key=subject.encode() if subject else None)
        async with self.database.transaction(self.clock(), letter.envelope) as tx:
            if await inbox.admit(tx.session, self.subscription.name, [letter.identity], tx.now):
                await parking.park(tx.session, self.subscription.name, [(record, "accepted")], tx.now, tx.now)
                await inbox.note(tx.session, self.subscription.name, [inbox.Outcome(letter.identity, "accepted")])

    async def tend(self) -> None:
        """Try again what waits and is due, beside other processes that do; raises only what passes."""
        after = 0
        while True:
            async with self.database.transaction(self.clock()) as tx:
                parked = await parking.next_due(tx.session, self.subscription.name, after, tx.now)
            if parked is None:
                return
            after = parked.id
            await self._again(parked)

    async def _together(self, opened: Sequence[Opened]) -> None:
        with seen.batch(self.subscription.name, [each.envelope for each in opened]) as envelopes:
            await self._in_one_transaction([_as_seen(*pair) for pair in zip(opened, envelopes, strict=True)])

    async def _in_one_transaction(self, opened: Sequence[Opened]) -> None:
        async with self.database.transaction(self.clock()) as tx:
            fresh = await inbox.admit(tx.session, self.subscription.name, (each.identity for each in opened), tx.now)
            firsts = {each.identity: each for each in reversed(opened)}
            new = [each for each in opened if each.identity in fresh and firsts[each.identity] is each]
            EVENTS.labels(self.subscription.name, "duplicate").inc(len(opened) - len(new))
            if not new:
                return
            new = await self._from_known_publishers(tx, new)
            behind = await parking.keys_that_wait(tx.session, self.subscription.name, (each.key for each in new))
            deliveries = [_delivery(each) for each in new if not each.fault and each.key not in behind]
            if deliveries:
                await self.subscription.handle(deliveries, tx)
                _check_order(deliveries)
            said = {id(each.record): each.verdict for each in deliveries}
            verdicts = [(each, each.fault or said.get(id(each.record), Waits("behind-an-earlier-one"))) for each in new]
            await self._settle(tx, verdicts, attempts=1)

    async def _alone(self, letter: Opened) -> None:
        verdict: Verdict
        for attempt in range(1, TRIES + 1):
            if attempt > 1:
                RETRIES.labels(self.subscription.name, "bug").inc()
            try:
                await self._together([letter])
            except Problem as problem:
                verdict = verdict_on(problem)
                break
            except Exception as error:
                if passes(error):
                    raise
                verdict = self._bug(error, letter.record)
            else:
                return
        async with self.database.transaction(self.clock(), letter.envelope) as tx:
            if await inbox.admit(tx.session, self.subscription.name, [letter.identity], tx.now):
                await self._settle(tx, [(letter, verdict)], attempts=attempt)

    async def _again(self, parked: parking.Parked) -> None:
        letter = look_into(parked.record, self.subscription)
        if letter is None:
            letter = Opened(parked.record, position_of(parked.record), fault=Fault("unknown-type", "no longer taken"))
        RETRIES.labels(self.subscription.name, "waiting").inc()
        with seen.taking(self.subscription.name, [letter.envelope]) as [envelope]:
            verdict = letter.fault or await self._released(parked, _as_seen(letter, envelope))
        if verdict is not None:
            await self._settle_parked(parked, letter, verdict)

    async def _released(self, parked: parking.Parked, letter: Opened) -> Verdict | None:
        """Let an event have its effect and leave the waiting place; a verdict where it could not."""
        fault: Fault | None = None
        for _ in range(TRIES):
            try:
                async with self.database.transaction(self.clock(), letter.envelope) as tx:
                    await self._release(tx, parked, letter)
            except _Answered as answer:
                return answer.verdict
            except Problem as problem:
                return verdict_on(problem)
            except Exception as error:
                if passes(error):
                    raise
                fault = self._bug(error, parked.record)
            else:
                return None
        return fault

    async def _release(self, tx: Transaction, parked: parking.Parked, letter: Opened) -> None:
        """Take an event out of the waiting place, once, and have its effect; a verdict undoes both."""
        if not await parking.release(tx.session, parked, self.subscription.name, tx.now):
            return  # another process has it, or had it
        if not await inbox.readmit(tx.session, self.subscription.name, letter.identity, tx.now):
            return  # its effect was had meanwhile, by the same event that came otherwise
        [letter] = await self._from_known_publishers(tx, [letter])
        if letter.fault:
            raise _Answered(letter.fault)
        delivery = _delivery(letter)
        await self.subscription.handle([delivery], tx)
        if delivery.verdict:
            raise _Answered(delivery.verdict)
        tx.after_commit(EVENTS.labels(self.subscription.name, "done").inc)

    async def _settle_parked(self, parked: parking.Parked, letter: Opened, verdict: Verdict) -> None:
        async with self.database.transaction(self.clock(), letter.envelope) as tx:
            if isinstance(verdict, Waits):
                if tx.now - parked.parked_at < self.subscription.patience:
                    if await parking.wait_longer(tx.session, parked, verdict.reason, tx.now):
                        waits = inbox.Outcome(letter.identity, "waiting", verdict.reason)
                        await inbox.note(tx.session, self.subscription.name, [waits])
                    return
                verdict = Fault(verdict.reason, "what it refers to did not come while we waited")
            if await parking.release(tx.session, parked, self.subscription.name, tx.now):
                await self._settle(tx, [(letter, verdict)], attempts=parked.attempts)

    async def _from_known_publishers(self, tx: Transaction, letters: list[Opened]) -> list[Opened]:
        names = {each.publisher for each in letters if each.publisher}
        strangers = names - await publishers.known(tx.session, names) if names else names
        fault = Fault("unknown-publisher", "nobody of that name was let in")
        return [replace(each, fault=fault) if each.publisher in strangers else each for each in letters]

    async def _settle(
        self, tx: Transaction, verdicts: Sequence[tuple[Opened, Verdict | None]], *, attempts: int
    ) -> None:
        """Write down what became of admitted events; nothing to write for those that are done."""
        waiting: list[tuple[Record, str]] = []
        outcomes: list[inbox.Outcome] = []
        dead: list[dead_letters.Letter] = []
        for letter, verdict in verdicts:
            match verdict:
                case None:
                    EVENTS.labels(self.subscription.name, "done").inc()
                case Waits(reason):
                    waiting.append((letter.record, reason))
                    waits = "event-waits", self.subscription.name, letter.record, letter.envelope
                    tx.after_commit(seen.telling(*waits, reason=reason))
                    outcomes.append(inbox.Outcome(letter.identity, "waiting", reason))
                case Refused(reason, detail):
                    outcomes.append(inbox.Outcome(letter.identity, "refused", f"{reason}: {detail}"))
                case Stale(why):
                    outcomes.append(inbox.Outcome(letter.identity, "stale", why))
                case Fault(reason, detail):
                    dead.append(dead_letters.Letter(letter.record, letter.identity, verdict, attempts, letter.envelope))
                    outcomes.append(inbox.Outcome(letter.identity, "dead-lettered", f"{reason}: {detail}"))
        for outcome in outcomes:
            EVENTS.labels(self.subscription.name, outcome.state).inc()
        await dead_letters.lay_down(tx, self.subscription.name, dead)
        await parking.park(tx.session, self.subscription.name, waiting, tx.now)
        await inbox.note(tx.session, self.subscription.name, outcomes)

    def _bug(self, error: Exception, record: Record) -> Fault:
        # The message of an exception may repeat what the record holds, so only its class is told.
        log.error(
            "handler-failed",
            consumer=self.subscription.name,
            error=type(error).__name__,
            at=where(error),
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
        )
        return Fault("bug", f"{type(error).__name__} at {where(error)}")


def _as_seen(letter: Opened, envelope: Envelope | None) -> Opened:
    return letter if envelope is letter.envelope else replace(letter, envelope=envelope)


def _delivery(letter: Opened) -> Delivery[Event]:
    if letter.event is None or letter.envelope is None:
        message = "only an event that was read is delivered"
        raise ValueError(message)
    return Delivery(letter.event, letter.envelope, letter.record, letter.publisher)


def _check_order(deliveries: Sequence[Delivery[Event]]) -> None:
    held: set[parking.Key] = set()
    for delivery in deliveries:
        key = delivery.record.topic, delivery.record.key
        if key in held:
            raise _OutOfOrder
        if isinstance(delivery.verdict, Waits) and key[1] is not None:
            held.add(key)
