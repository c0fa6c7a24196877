"""Rows `bus`, `bus-textbook`, `poison` and `backlog`: requests that lie on the inbound stream, drained and answered."""

import asyncio
import time
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass

import psutil
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from deploy.embedded.processes import Child
from deploy.prepare import plain_kafka
from shared.events.topics import ENROLMENTS, dead_letters, inbound
from shared.messaging import topics
from tests.bench import figures, world
from tests.bench.figures import Figure
from tests.bench.ground import Ground, Site, bench_program, megabytes

TOPIC = inbound("registration", world.PUBLISHER)
MS_TO_WATCH = 100
SECONDS_TO_DRAIN = 240
FIRST_PART = 0.2


@dataclass(frozen=True, slots=True)
class Drained:
    """How fast a stream was drained, and the memory of who did it: early on, and at its most."""

    rate: float
    early: float
    peak: float


async def bus(ground: Ground, runs: int, *, quick: bool) -> list[Figure]:
    """Measure ours, the bare limit and the textbook's handler in turn."""
    count, few = (6_000, 400) if quick else (20_000, 1_500)
    ours, bare, textbook = [], [], []
    for _ in range(runs):
        async with ground.site() as site:
            await fill(site, count)
            ours.append((await drain(site, [site.serve("registration")], count)).rate)
        bare.append(await _limit(ground, "bare_bus", count))
        textbook.append(await _limit(ground, "textbook", few))
    note = f"{count:,} requests over {world.WORKSHOPS} workshops"
    return [
        figures.rate("bus", ours, bare, "events/s", note),
        figures.rate("bus-textbook", ours, textbook, "events/s", f"the textbook is given {few:,}"),
    ]


async def poison(ground: Ground, runs: int, *, quick: bool) -> list[Figure]:
    """Measure how much slower the stream is drained when every tenth record of it cannot be taken."""
    count = 6_000 if quick else 20_000
    spoilt: list[float] = []
    clean: list[float] = []
    for _ in range(runs):
        for found, spoil in ((clean, False), (spoilt, True)):
            async with ground.site() as site:
                await fill(site, count, spoil=spoil)
                found.append((await drain(site, [site.serve("registration")], count)).rate)
    note = f"{count:,} requests, every {world.SPOILT}th of them poison, against the same without"
    return [figures.rate("poison", spoilt, clean, "events/s", note)]


async def backlog(ground: Ground, runs: int, *, quick: bool) -> list[Figure]:
    """Measure how much faster two processes of registration drain a backlog than one does."""
    count = 20_000 if quick else 100_000
    alone: list[Drained] = []
    paired: list[Drained] = []
    for _ in range(runs):
        for found, names in ((alone, (None,)), (paired, (None, "registration-2"))):
            async with ground.site() as site:
                await fill(site, count)
                starts = [site.serve("registration", name) for name in names]
                found.append(await drain(site, starts, count, since=FIRST_PART))
    most = max((*alone, *paired), key=lambda each: each.peak)
    memory = f"memory after a fifth {most.early:.0f} MB, at most {most.peak:.0f} MB"
    note = f"{count:,} requests, 2 processes against 1, {psutil.cpu_count()} cores; {memory}"
    return [figures.rate("backlog", [each.rate for each in paired], [each.rate for each in alone], "events/s", note)]


async def _limit(ground: Ground, program: str, count: int) -> float:
    async with ground.site() as site:
        await fill(site, count)
        job = {"kafka": site.kafka, "database": site.databases["registration"], "topic": TOPIC.name}
        return (await drain(site, [site.start(bench_program(program, **job))], count)).rate


async def fill(site: Site, count: int, *, spoil: bool = False) -> None:
    """Lay requests on the inbound stream, before anybody follows it; some of them are made poison."""
    await topics.ensure(plain_kafka(site.kafka), [TOPIC])
    producer = AIOKafkaProducer(bootstrap_servers=site.kafka, acks="all", max_batch_size=262_144)
    await producer.start()
    requests = world.requests(count)
    try:
        sent = [
            await producer.send(TOPIC.name, value, key, headers=headers)
            for key, value, headers in (world.spoilt(requests) if spoil else requests)
        ]
        await asyncio.gather(*sent)
    finally:
        await producer.stop()


async def drain(site: Site, starts: Sequence[Coroutine[None, None, Child]], count: int, since: float = 0.0) -> Drained:
    """Start who drains it, and watch until every request is an enrolment or a dead letter.

    The clock runs from the first that is seen, or from the first behind part `since`.
    """
    # Read, for the embedded broker tells of a batch's beginning as the end of a partition.
    watch = AIOKafkaConsumer(bootstrap_servers=site.kafka, auto_offset_reset="earliest", fetch_max_wait_ms=10)
    streams = (ENROLMENTS, dead_letters("registration"))
    watch.assign([TopicPartition(each.name, number) for each in streams for number in range(each.partitions)])
    await watch.start()
    # Watched before anybody drains: what had been done unseen would be counted as done in no time.
    starting = asyncio.gather(*starts)
    done = 0
    began: tuple[float, int] | None = None
    early = peak = 0.0
    try:
        async with asyncio.timeout(SECONDS_TO_DRAIN):
            while done < count:
                done += sum(map(len, (await watch.getmany(timeout_ms=MS_TO_WATCH)).values()))
                children = starting.result() if starting.done() else []
                _all_run(children)
                peak = max(peak, *(megabytes(each.pid) for each in children), 0.0)
                if began is None and done > since * count:
                    began, early = (time.perf_counter(), done), peak
        seconds = time.perf_counter() - (began or (0.0, 0))[0]
        return Drained((done - (began or (0.0, 0))[1]) / seconds, early, peak)
    finally:
        await starting
        await watch.stop()


def _all_run(children: Sequence[Child]) -> None:
    for each in children:
        if not each.running:
            raise RuntimeError(f"{each.name} has ended: {each.last_words()}")
