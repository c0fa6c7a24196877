"""One service as one process: how it starts, what runs beside its HTTP, when it is ready, and how it stops."""

import asyncio
import contextlib
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog
import uvicorn
from fastapi import APIRouter, FastAPI, Response
from faststream.kafka import KafkaBroker
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel
from sqlalchemy import text

from shared.database import Database, Transaction, passes
from shared.messaging import bus, kafka, parking
from shared.messaging.consume import Consumer
from shared.messaging.envelope import Envelope
from shared.messaging.follow import Followers
from shared.messaging.relay import Relay
from shared.observability import configure_logs, where
from shared.settings import ServiceSettings, SettingsError, read_office
from shared.web import events

log = structlog.get_logger()
Clock = Callable[[], datetime]
SECONDS_BETWEEN_CHECKS = 2.0
SECONDS_TO_ANSWER = 2.0
SECONDS_TO_DRAIN = 4.0
SECONDS_FOR_REQUESTS = 5
SECONDS_BETWEEN_TENDINGS = 0.25


def utc_now() -> datetime:
    """Tell the time: the clock that production passes in."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Loop:
    """Work that goes on beside HTTP for as long as the process lives; `run` returns only when it is cancelled."""

    name: str
    run: Callable[[], Awaitable[None]]


class Health(BaseModel):
    """Whether a process can do its work, and what keeps it from doing so."""

    status: str
    down: tuple[str, ...] = ()


class Service:
    """What a process is made of: settings, database, relay, consumers, loops; the app's `state.service`."""

    def __init__(
        self, name: str, settings: ServiceSettings, *, followers: Followers | None = None, clock: Clock = utc_now
    ) -> None:
        self.name = name
        self.settings = settings
        self.clock = clock
        self.relay = Relay(settings.database_url, settings, name, replay_on_start=settings.replay_on_start)
        self.database = Database(settings.database_url, name, on_messages=self.relay.wake)
        subscriptions = followers.subscriptions if followers else []
        self.consumers = [Consumer(subscription, self.database, clock) for subscription in subscriptions]
        self.loops: list[Loop] = []
        self.down: tuple[str, ...] = ("starting",)
        self._broker: KafkaBroker | None = None
        self._to_tend = asyncio.Event()

    def tend_now(self) -> None:
        """Say that something in the waiting place is due already."""
        self._to_tend.set()

    def transaction(
        self, cause: Envelope | None = None, correlation_id: str | None = None
    ) -> AbstractAsyncContextManager[Transaction]:
        """Open a transaction at the present time of the service's clock."""
        return self.database.transaction(self.clock(), cause, correlation_id)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run all that goes beside HTTP; on leaving, finish what is in flight and send what is owed."""
        relay = asyncio.create_task(self.relay.run(), name="relay")
        work = [
            asyncio.create_task(self._forever(loop), name=loop.name)
            for loop in (Loop("pulse", self._pulse), Loop("bus", self._start_bus), *self.loops)
        ]
        if self.consumers:
            work.append(asyncio.create_task(self._forever(Loop("waiting-place", self._tend))))
        try:
            yield
        finally:
            self.down = ("stopping",)
            await _end(work)
            if self._broker is not None:
                await self._broker.stop()
            await self.relay.drain(SECONDS_TO_DRAIN)
            await _end([relay])
            await self.database.close()

    async def _forever(self, loop: Loop) -> None:
        """Keep a loop going: what passes is waited for, what is a bug is told of, and neither ends the process."""
        pause = 0.1
        while True:
            try:
                await loop.run()
            except Exception as error:  # noqa: BLE001 - the edge of the process: nobody above could do better
                level = log.warning if passes(error) else log.error
                level("loop-begins-anew", loop=loop.name, error=type(error).__name__, at=where(error))
                await asyncio.sleep(pause)
                pause = min(pause * 2, 5.0)
            else:
                return

    async def _start_bus(self) -> None:
        while not await kafka.answers(self.settings, SECONDS_TO_ANSWER):
            log.warning("waiting-for-kafka", servers=self.settings.kafka_servers)
            await asyncio.sleep(0.5)
        broker = bus.connect(self.settings, self.name, self.consumers)
        try:
            await bus.start(broker)
        except BaseException:
            await broker.stop()
            raise
        self._broker = broker

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

    async def _pulse(self) -> None:
        while True:
            postgres, broker = await asyncio.gather(self._database_answers(), self._kafka_answers())
            self.down = tuple(
                name
                for name, up in (("postgres", postgres), ("kafka", broker), ("consumers", self._broker is not None))
                if not up
            )
            await asyncio.sleep(SECONDS_BETWEEN_CHECKS if not self.down else 0.1)

    async def _database_answers(self) -> bool:
        try:
            async with asyncio.timeout(SECONDS_TO_ANSWER), self.database.engine.connect() as connection:
                await connection.execute(text("SELECT 1"))
        except Exception as error:
            if passes(error):
                return False
            raise
        return True

    async def _kafka_answers(self) -> bool:
        return await kafka.answers(self.settings, SECONDS_TO_ANSWER)


def application(service: Service) -> FastAPI:
    """Make the ASGI app of a service, with what each has: health, metrics, OpenAPI; its own routers are added to it."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with service.running():
            yield

    prefix = f"/api/{service.name}"
    app = FastAPI(
        title=f"Convoca: {service.name}",
        lifespan=lifespan,
        openapi_url=f"{prefix}/openapi.json",
        docs_url=None,
        redoc_url=None,
    )
    app.state.service = service
    app.state.office = read_office(service.settings.office)
    app.include_router(_health(service), prefix=prefix, include_in_schema=False)
    for consumer in service.consumers:
        if consumer.subscription.inbound:
            app.include_router(events.router(service.name, consumer), prefix=prefix)
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
    _Server(config).run()


class _Server(uvicorn.Server):
    """uvicorn that ends with 0 when it is told to stop; the original dies of the signal that it caught."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        yield


def _health(service: Service) -> APIRouter:
    router = APIRouter()

    @router.get("/health/live")
    async def live() -> Health:
        return Health(status="live")

    @router.get("/health/ready")
    async def ready(response: Response) -> Health:
        if service.down:
            response.status_code = 503
            return Health(status="not ready", down=service.down)
        return Health(status="ready")

    @router.get("/metrics")
    async def metrics() -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return router


async def _end(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
