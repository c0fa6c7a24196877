"""Rows `post-many`, `post-rush`, `mail-p50` and `mail-p99`: requests over HTTP, to the service itself."""

from datetime import UTC, datetime

from aiokafka import AIOKafkaProducer

from shared.events.topics import WORKSHOPS
from shared.messaging.envelope import seal
from tests.bench import figures, world
from tests.bench.figures import Figure
from tests.bench.ground import Ground, Site, ask

CONNECTIONS = 64
POOL = 16
"""The connections that a service's pool may have."""
WARM = 2.0
RATE = 100.0
MOST_P50 = 50.0
MOST_P99 = 250.0


async def post_many(ground: Ground, runs: int, *, quick: bool) -> list[Figure]:
    """Measure requests that are spread over many workshops."""
    return await _posts(ground, "post-many", world.WORKSHOPS, runs, quick=quick)


async def post_rush(ground: Ground, runs: int, *, quick: bool) -> list[Figure]:
    """Measure requests that all want one workshop."""
    return await _posts(ground, "post-rush", 1, runs, quick=quick)


async def _posts(ground: Ground, name: str, workshops: int, runs: int, *, quick: bool) -> list[Figure]:
    seconds = 2.0 if quick else 6.0
    job = {"workshops": workshops, "warm": WARM, "seconds": seconds}
    ours, bare, slowest = [], [], 0.0
    for _ in range(runs):
        async with ground.site() as site:
            await site.serve("registration")
            found = await ask("posts", port=site.addresses.ports["registration"], connections=CONNECTIONS, **job)
            if found["others"]:
                raise RuntimeError(f"{found['others']:.0f} requests were not answered with 201")
            ours.append(found["rate"])
            slowest = max(slowest, found["p99"])
        async with ground.site() as site:
            database = site.databases["registration"]
            found = await ask("bare_posts", database=database, workers=CONNECTIONS, connections=POOL, **job)
            bare.append(found["rate"])
    note = f"{CONNECTIONS} connections, {workshops} workshop(s), without the front door; p99 {slowest:.0f} ms"
    return [figures.rate(name, ours, bare, "requests/s", note)]


async def mail(ground: Ground, runs: int, *, quick: bool) -> list[Figure]:
    """Measure the way of a mail through the three services, from the answer to the request."""
    seconds = 5.0 if quick else 15.0
    middles, slowest, lost = [], [], 0.0
    for _ in range(runs):
        async with ground.site() as site:
            for service in ("catalogue", "registration", "notifications"):
                await site.serve(service)
            await _publish_workshops(site)
            ports = site.addresses.ports
            job = {"rate": RATE, "warm": 3.0, "seconds": seconds}
            found = await ask("mails", port=ports["registration"], smtp=ports["smtp"], **job)
            lost += found["missing"] + found["refused"]
            middles.append(found["p50"])
            slowest.append(found["p99"])
    note = (
        f"{RATE:.0f} requests a second for {seconds:.0f} s, answer to a request → mail at SMTP; {lost:.0f} did not come"
    )
    return [
        figures.ceiling("mail-p50", middles, MOST_P50, "ms", note),
        figures.ceiling("mail-p99", slowest, MOST_P99, "ms", note),
    ]


async def _publish_workshops(site: Site) -> None:
    now = datetime.now(UTC)
    producer = AIOKafkaProducer(bootstrap_servers=site.kafka, acks="all")
    await producer.start()
    try:
        for number in range(world.WORKSHOPS):
            told = world.workshop(number, now)
            message = seal(told, source="/convoca/catalogue", key=told.workshop_id, sequence=1, now=now)
            await producer.send(WORKSHOPS.name, message.value, message.key, headers=list(message.headers))
        await producer.flush()
    finally:
        await producer.stop()
