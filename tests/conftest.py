"""What all suites share: the parts they run on, databases that are migrated and empty, and a clock."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable

import asyncpg
import pytest
import pytest_asyncio
from hypothesis import HealthCheck, settings

from shared import migrations
from shared.database import Database
from tests import brokers
from tests.brokers import Parts
from tests.clock import HandClock

MakeDatabase = Callable[[str], Awaitable[Database]]
MakeUrl = Callable[[str], Awaitable[str]]
_numbers = itertools.count(1)
# How fast a machine is that does other work too is no property of ours.
settings.register_profile("convoca", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("convoca")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let a run choose its parts."""
    parser.addoption(
        "--parts",
        choices=("embedded", "containers"),
        default="embedded",
        help="PostgreSQL and broker from wheels, or Apache Kafka and PostgreSQL in containers",
    )


@pytest_asyncio.fixture(scope="session")
async def parts(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Parts]:
    """Give the PostgreSQL and the broker of this run."""
    if request.config.getoption("--parts") == "containers":
        with brokers.containers() as running:
            yield running
    else:
        async with brokers.embedded(tmp_path_factory.mktemp("parts")) as running:
            yield running


@pytest_asyncio.fixture(scope="session")
async def templates() -> dict[str, str]:
    """Give the names of databases that are migrated and empty, by service; filled as they are asked for."""
    return {}


@pytest_asyncio.fixture
async def database_url(parts: Parts, templates: dict[str, str]) -> AsyncIterator[MakeUrl]:
    """Give what makes a migrated, empty database for a service and answers its address."""
    made: list[str] = []
    one_at_a_time = asyncio.Lock()
    admin: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(parts.database("postgres"))

    async def make(service: str) -> str:
        async with one_at_a_time:
            if service not in templates:
                template = f"template_{service}"
                await admin.execute(f"CREATE DATABASE {template}")
                await asyncio.to_thread(migrations.upgrade, service, parts.database(template))
                templates[service] = template
            name = f"{service}_{next(_numbers)}"
            await admin.execute(f"CREATE DATABASE {name} TEMPLATE {templates[service]}")
            made.append(name)
            return parts.database(name)

    yield make
    for name in made:
        await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await admin.close()


@pytest_asyncio.fixture
async def database(database_url: MakeUrl) -> AsyncIterator[MakeDatabase]:
    """Give what makes a migrated, empty database for a service and opens it as the service does."""
    opened: list[Database] = []

    async def make(service: str) -> Database:
        opened.append(Database(await database_url(service), service))
        return opened[-1]

    yield make
    for each in opened:
        await each.close()


@pytest.fixture
def clock() -> HandClock:
    """Give a clock that stands still until a test moves it."""
    return HandClock()
