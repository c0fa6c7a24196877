"""One service as one process: how it starts, what runs beside its HTTP, when it is ready, and how it stops."""

import asyncio
import contextlib
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog
import uvicorn
from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, Gauge, generate_latest
from pydantic import AnyHttpUrl
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.database import Database, Transaction, passes
from shared.health import Health, Pulse
from shared.messaging import depths, kafka, parking
from shared.messaging.asyncapi import Described
from shared.messaging.bus import Bus
from shared.messaging.carrier import Carrier
from shared.messaging.consume import Consumer
from shared.messaging.envelope import Envelope
from shared.messaging.follow import Followers
from shared.messaging.pruning import Pruning
from shared.messaging.relay import Relay
from shared.messaging.replay import Replays
from shared.observability import configure_logs, tracing, where
from shared.observability.metrics import LAG
from shared.observability.watch import Reading, Watch
from shared.settings import ServiceSettings, SettingsError, read_office
from shared.web import documents, events
from shared.web.openapi import ABOUT, Application

log = structlog.get_logger()
Clock = Callable[[], datetime]
SECONDS_TO_ANSWER = 1.5
SECONDS_FOR_REQUESTS = 4
SECONDS_TO_DRAIN = 2.0
SECONDS_TO_END = 1.0
"""Together with the bus's own, an end takes less than ten seconds whatever hangs: Docker grants no more."""
SECONDS_BETWEEN_TENDINGS = 0.25
LONGEST_PAUSE = 5.0


def utc_now() -> datetime:
    """Tell the time: the clock that production passes in."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Loop:
    """Work that goes on beside HTTP for as long as the process lives; `run` returns only when it is cancelled."""

    name: str
    run: Callable[[], Awaitable[None]]


class Service:
    """What a process is made of: settings, database, relay, consumers, loops; the app's `state.service`."""

    def __init__(
        self, name: str, settings: ServiceSettings, *, followers: Followers | None = None, clock: Clock = utc_now
    ) -> None:
        self.name = name
        self.settings = settings
        self.clock = clock
        horizon = timedelta(days=settings.replay_days)
        replays = Replays(horizon, clock, at_start=settings.replay_on_start)
        self.relay = Relay(settings.database_url, Carrier(settings, name), name, replays)
        self.database = Database(settings.database_url, name, on_messages=self.relay.wake)
        self.pruning = Pruning(self.database, clock, horizon)
        subscriptions = followers.subscriptions if followers else []
        self.consumers = [Consumer(subscription, self.database, clock) for subscription in subscriptions]
        self.loops: list[Loop] = []
        self.bus = Bus(settings, name, self.consumers)
        self.watch = Watch(Reading("consumers", self.bus.measure_lag, by_label=(LAG,)))
        self.watch_database("bus", depths.read, depths.GAUGES, depths.BY_LABEL)
        self.pulse = Pulse(
            {
                "postgres": self._database_answers,
                "kafka": lambda: kafka.answers(settings, SECONDS_TO_ANSWER),
                "consumers": self._consumers_are_well,
                "relay": self._relay_is_well,
            }
        )
        self._to_tend = asyncio.Event()

    def watch_database(
        self,
        source: str,
        read: Callable[[AsyncConnection], Awaitable[None]],
        gauges: Sequence[Gauge],
        by_label: Sequence[Gauge] = (),
    ) -> None:
        """Have gauges read from the database, as long as the service runs."""

        async def connected() -> None:
            async with self.database.engine.connect() as connection:
                await read(connection)

        self.watch.readings.append(Reading(source, connected, gauges, by_label))

    def tend_now(self) -> None:
        """Say that something in the waiting place is due already."""
        self._to_tend.set()

    def transaction(self, cause: Envelope | None = None) -> AbstractAsyncContextManager[Transaction]:
        """Open a transaction at the present time of the service's clock."""
        return self.database.transaction(self.clock(), cause)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run all that goes beside HTTP; on leaving, finish what is in flight and send what is owed."""
        relay = asyncio.create_task(self.relay.run(), name="relay")
        own = (
            Loop("pulse", self.pulse.run),
            Loop("bus", self.bus.run),
            Loop("watch", self.watch.run),
            Loop("pruning", self.pruning.run),
        )
        work = [asyncio.create_task(self._forever(loop), name=loop.name) for loop in (*own, *self.loops)]
        if self.consumers:
            work.append(asyncio.create_task(self._forever(Loop("waiting-place", self._tend))))
        try:
            yield
        finally:
            await _end(*work)
            self.pulse.stop()
            await self.bus.stop()
            await self.relay.drain(SECONDS_TO_DRAIN)
            await _end(relay)
            await asyncio.wait({asyncio.create_task(self.database.close())}, timeout=SECONDS_TO_END)

    async def _forever(self, loop: Loop) -> None:
        """Keep a loop going: what passes is waited for, what is a bug is told of, and neither ends the process."""
        pause = 0.1
        while True:
            since = time.monotonic()
            try:
                await loop.run()
            except Exception as error:  # noqa: BLE001 - the edge of the process: nobody above could do better
                level = log.warning if passes(error) else log.error
                level("loop-begins-anew", loop=loop.name, error=type(error).__name__, at=where(error))
                pause = 0.1 if time.monotonic() - since > LONGEST_PAUSE else min(pause * 2, LONGEST_PAUSE)
                await asyncio.sleep(pause)
            else:
                return

    async def _tend(self) -> None:
        while True:
            self._to_tend.clear()
            async with self.transaction() as tx:
                due = await parking.consumers_with_due(tx.session, tx.now)
            for consumer in self.consumers:
                if consumer.subscription.name in due:
                    await consumer.tend()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(SECONDS_BETWEEN_TENDINGS):
                    await self._to_tend.wait()

    async def _database_answers(self) -> bool:
        async with self.database.engine.connect() as connection:
            await connection.execute(text("SELECT 1"))
        return True

    async def _consumers_are_well(self) -> bool:
        return self.bus.well

    async def _relay_is_well(self) -> bool:
        return self.relay.well


def service_of(request: Request) -> Service:
    """Give the service whose app a request has come to."""
    service: Service = request.app.state.service
    return service


def application(service: Service) -> FastAPI:
    """Make the ASGI app of a service, with what each has: health, metrics, what it says of itself.

    Its own routers are added to it, and its pages as `state.pages`.
    """

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with service.running():
            yield

    settings, prefix = service.settings, f"/api/{service.name}"
    site = str(settings.public_url).rstrip("/")
    app = Application(f"Convoca: {service.name}", site=site, prefix=prefix, lifespan=lifespan)
    app.state.service = service
    app.state.office = read_office(settings.office)
    app.include_router(_health(service), prefix=prefix)
    followed = [consumer.subscription for consumer in service.consumers]
    described = Described(service.name, followed, site, settings.kafka_security)
    app.include_router(documents.router(described), prefix=prefix)
    for consumer in service.consumers:
        if consumer.subscription.inbound:
            app.include_router(events.router(service.name, consumer), prefix=prefix)
            app.schemas |= events.schemas(consumer)
    return app


def serve(name: str, settings_class: type[ServiceSettings], build: Callable[..., FastAPI]) -> None:
    """Run a service until SIGTERM or SIGINT; a setting that is wrong ends it with one line and exit code 2."""
    try:
        settings = settings_class.from_environment()
        configure_logs(settings.log, name)
        app = build(settings)
    except (SettingsError, ValueError) as error:
        sys.stderr.write(f"convoca {name}: {' '.join(str(error).split())}\n")
        raise SystemExit(2) from None
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http="httptools",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=SECONDS_FOR_REQUESTS,
        backlog=4096,
    )
    with _traced(name, settings.otlp_endpoint):
        _Server(config).run()


@contextlib.contextmanager
def _traced(name: str, endpoint: AnyHttpUrl | None) -> Iterator[None]:
    """Send the spans of what goes on to a collector, where one is named; its ends are bounded, whatever it does."""
    if endpoint is None:
        yield
        return
    from shared.observability.exporting import Telemetry  # noqa: PLC0415 - large, and seldom needed

    telemetry = Telemetry(str(endpoint), name)
    tracing.record_with(telemetry)
    try:
        yield
    finally:
        tracing.record_with(None)
        telemetry.close()


class _Server(uvicorn.Server):
    """uvicorn that ends with 0 when it is told to stop; the original dies of the signal that it caught."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        yield


def _health(service: Service) -> APIRouter:
    router = APIRouter(tags=[ABOUT])

    @router.get("/health/live")
    async def live() -> Health:
        """Tell that the process answers."""
        return Health(status="live")

    @router.get("/health/ready", responses={503: {"model": Health}})
    async def ready(response: Response) -> Health:
        """Tell whether all that the service stands on answers, and what does not."""
        if down := service.pulse.down:
            response.status_code = 503
            return Health(status="not ready", down=down)
        return Health(status="ready")

    @router.get("/metrics", response_class=PlainTextResponse)
    async def metrics() -> Response:
        """Give what Prometheus reads; not to be had from outside."""
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return router


async def _end(*tasks: "asyncio.Task[None]") -> None:
    """Cancel tasks, and wait for their end no longer than we may."""
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks, timeout=SECONDS_TO_END)
