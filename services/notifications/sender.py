"""The loop that sends what is owed: claim, write, hand over, mark; many mails at once, few transactions."""

import asyncio
import contextlib
import random
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import structlog
from prometheus_client import Counter, Histogram
from sqlalchemy.ext.asyncio import AsyncConnection

from services.notifications.clients import Post, Undelivered, Unreachable
from services.notifications.operations import outcome, send
from services.notifications.operations.send import Due, Sending, Settled
from services.notifications.rendering.letter import Paper, Unaddressable
from services.notifications.rendering.mail import write
from services.notifications.repository.sending import announce
from shared.database import Database, passes
from shared.observability import stemming, tracing, where
from shared.web.i18n import Catalogues

log = structlog.get_logger()
MAILS = Counter("convoca_mails_total", "Attempts to hand a mail over, by what SMTP said to it", ["outcome"])
SMTP_SECONDS = Histogram(
    "convoca_smtp_seconds",
    "Time from handing a mail over to SMTP's word on it",
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30, 60),
)
DELAY = Histogram(
    "convoca_notice_seconds",
    "Time from when a notice was due to SMTP's acceptance",
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30, 300, 3600),
)
AT_ONCE = 16
"""How many mails are on their way at a time, each over a connection of its own."""
SECONDS_BETWEEN_LOOKS = 0.5
SECONDS_TO_GATHER = 0.02
"""How long what was sent may wait for its mark, so that one transaction marks many."""
SECONDS_BETWEEN_TURNS = 0.01
"""At the least: a transaction costs as much as what it does for four mails."""
SECONDS_BETWEEN_RECOVERIES = 2.0
SECONDS_TO_FINISH = 3.0
LONGEST_PAUSE = 15.0
LARGEST_CLAIM = 2**31 - 1


@dataclass(slots=True)
class Outage:
    """How long nothing is tried because the server cannot be reached; one mail at a time then finds out."""

    until: float = 0.0
    pause: float = 0.0

    def begin(self, now: float) -> None:
        """Wait longer than before."""
        if now >= self.until:
            self.pause = min(max(self.pause * 2, 0.25), LONGEST_PAUSE)
            self.until = now + self.pause

    def end(self) -> None:
        """Note that the server answers."""
        self.until = self.pause = 0.0

    def allows(self, now: float, free: int, under_way: int) -> int:
        """Give how many of `free` may go now."""
        if not self.pause:
            return free
        return 0 if now < self.until or under_way else min(free, 1)


class Sender:
    """One process's sender. `run` goes on until it is cancelled, and then finishes what it has in hand.

    `woken` hastens it. Its claim is its number, and an advisory lock of that number shows others that it lives.
    """

    def __init__(
        self,
        database: Database,
        clock: Callable[[], datetime],
        post: Post,
        paper: Paper,
        catalogues: Catalogues,
        woken: asyncio.Event,
        *,
        recover_every: float = SECONDS_BETWEEN_RECOVERIES,
    ) -> None:
        self._database = database
        self._clock = clock
        self._post = post
        self._paper = paper
        self._catalogues = catalogues
        self._woken = woken
        self._recover_every = recover_every
        self._staff = {each.name: each for each in paper.office.staff}
        self.claim = _number()
        self._under_way: dict[asyncio.Task[Settled], Sending] = {}
        self._settled: list[Settled] = []
        self._outage = Outage()
        self._gathered_at = 0.0
        self._last_turn = 0.0
        self._next_recovery = 0.0

    async def run(self) -> None:
        """Send whatever is owed and due; raises what passes, after which it may be run again and goes on."""
        async with self._database.engine.connect() as presence:
            await presence.execution_options(isolation_level="AUTOCOMMIT")
            try:
                while True:
                    await self._leave_time_to_gather()
                    self._woken.clear()
                    if not await self._turn(presence):
                        with contextlib.suppress(TimeoutError):
                            async with asyncio.timeout(SECONDS_BETWEEN_LOOKS):
                                await self._woken.wait()
            except asyncio.CancelledError:
                await self._finish()
                raise

    async def drain(self) -> None:
        """Send what is due now, and return when nothing is: for those who do not let it run on."""
        async with self._database.engine.connect() as presence:
            await presence.execution_options(isolation_level="AUTOCOMMIT")
            self._next_recovery = 0.0
            while await self._turn(presence) or self._holds():
                if self._under_way:
                    await asyncio.wait(self._under_way)

    async def _leave_time_to_gather(self) -> None:
        loop = asyncio.get_running_loop()
        if (early := self._last_turn + SECONDS_BETWEEN_TURNS - loop.time()) > 0:
            await asyncio.sleep(early)
        self._last_turn = loop.time()

    def _holds(self) -> bool:
        return bool(self._under_way or self._settled)

    async def _turn(self, presence: AsyncConnection) -> int:
        """Mark what has come back and send on what is due, in one transaction; answers how many went."""
        now = asyncio.get_running_loop().time()
        recovering = now >= self._next_recovery
        if recovering and not await announce(presence, self.claim) and not self._holds():
            self.claim = _number()  # somebody else's, or of a connection of ours that the server has not yet missed
        free = self._outage.allows(now, AT_ONCE - len(self._under_way), len(self._under_way))
        settled = tuple(self._settled)
        # Taken now: what comes back while the transaction runs is ours still, though no longer under way.
        in_hand = [each.notice_id for each in self._under_way.values()]
        if not (settled or free or recovering):
            return 0
        async with self._database.transaction(self._clock()) as tx:
            await send.settle(tx, self.claim, settled)
            if recovering:
                await send.recover(tx, self.claim, in_hand)
            due = await send.take_due(tx, self.claim, free, self._staff) if free else Due(())
        del self._settled[: len(settled)]
        if recovering:
            self._next_recovery = now + self._recover_every
        if due.look_again_at:
            lacking = (due.look_again_at - self._clock()).total_seconds()
            asyncio.get_running_loop().call_later(max(lacking, 0), self._woken.set)
        for each in due.sendings:
            task = asyncio.create_task(self._deliver(each))
            self._under_way[task] = each
            task.add_done_callback(self._came_back)
        return len(due.sendings)

    async def _deliver(self, sending: Sending) -> Settled:
        """Write a mail and hand it over; whatever happens is an answer, never an exception."""
        rule: dict[str, tracing.Value] = {"convoca.rule": sending.letter.rule.value}
        with stemming(sending.origin), tracing.span("send mail", rule) as span:
            settled = await self._attempt(sending)
            _tell(settled)
            span.note({"convoca.state": settled.mark.state})
            return settled

    async def _attempt(self, sending: Sending) -> Settled:
        try:
            mail = write(sending.letter, self._paper, self._catalogues)
            with SMTP_SECONDS.time(), tracing.span("smtp", kind="client"):
                await self._post.hand_over(mail.sender, mail.recipient, mail.content)
        except Undelivered as error:
            MAILS.labels(type(error).__name__.lower()).inc()
            if isinstance(error, Unreachable):
                self._outage.begin(asyncio.get_running_loop().time())
            return outcome.undelivered(sending, error, self._clock(), random.random())  # noqa: S311 - spreads retries
        except Unaddressable:
            MAILS.labels("unaddressable").inc()
            return outcome.given_up(sending, "address-unusable")
        except Exception as error:  # noqa: BLE001 - a mail that cannot be written must not keep the others
            rule, notice = sending.letter.rule.value, str(sending.notice_id)
            # Neither message nor trace, for they may repeat what the mail holds.
            log.error("mail-not-written", notice=notice, rule=rule, error=type(error).__name__, at=where(error))  # noqa: TRY400
            MAILS.labels("unwritable").inc()
            return outcome.unwritable(sending, self._clock(), random.random())  # noqa: S311 - likewise
        self._outage.end()
        MAILS.labels("accepted").inc()
        now = self._clock()
        DELAY.observe((now - sending.due_at).total_seconds())
        return outcome.accepted(sending, now)

    def _came_back(self, task: asyncio.Task[Settled]) -> None:
        del self._under_way[task]
        if task.cancelled():
            return  # it stays claimed, and whoever takes it up will be in doubt
        settled = task.result()
        self._settled.append(settled)
        if len(self._settled) >= AT_ONCE - len(self._under_way) or self._outage.pause:
            self._woken.set()
        else:
            loop = asyncio.get_running_loop()
            if self._gathered_at <= loop.time():
                self._gathered_at = loop.call_later(SECONDS_TO_GATHER, self._woken.set).when()

    async def _finish(self) -> None:
        """Let what is on its way arrive, and mark it; what takes too long is for the next sender to doubt."""
        if self._under_way:
            _, late = await asyncio.wait(self._under_way, timeout=SECONDS_TO_FINISH)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        try:
            async with self._database.transaction(self._clock()) as tx:
                await send.settle(tx, self.claim, tuple(self._settled))
            self._settled.clear()
        except Exception as error:
            if not passes(error):
                raise
            log.warning("sent-but-not-marked", notices=len(self._settled), error=type(error).__name__)
        await self._post.close()

    async def close(self) -> None:
        """Take leave of the SMTP server."""
        await self._post.close()


def _number() -> int:
    return secrets.randbelow(LARGEST_CLAIM) + 1


def _tell(settled: Settled) -> None:
    """Log what did not simply go."""
    mark, rule = settled.mark, settled.sending.letter.rule.value
    if mark.state == "owed":
        log.info("mail-waits", notice=str(mark.notice_id), rule=rule, reason=mark.reason)
    elif mark.state != "sent":
        log.warning("notice-unsent", state=mark.state, notice=str(mark.notice_id), rule=rule, reason=mark.reason)
