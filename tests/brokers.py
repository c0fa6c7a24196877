"""Which PostgreSQL and which broker a run stands on: the embedded ones from wheels, or containers."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from deploy.embedded import postgres, programs
from deploy.embedded.folder import LOOPBACK, Folder
from deploy.embedded.processes import Child, listens

if TYPE_CHECKING:
    from testcontainers.core.container import DockerContainer

KAFKA_IMAGE = os.environ.get("KAFKA_IMAGE", "apache/kafka:4.3.1")
POSTGRES_IMAGE = os.environ.get("POSTGRES_IMAGE", "postgres:18")
PASSWORD = "only-for-tests"


@dataclass(frozen=True, slots=True)
class Parts:
    """Where the two real parts are: Kafka as `host:port`, PostgreSQL as a superuser's address without a database."""

    kafka: str
    postgres: str
    embedded: bool

    def database(self, name: str) -> str:
        """Give the superuser's address of a database."""
        return f"{self.postgres}/{name}"


@asynccontextmanager
async def embedded(root: Path) -> AsyncIterator[Parts]:
    """Run PostgreSQL and the broker from wheels."""
    folder = Folder(root)
    folder.lock()
    addresses = programs.Addresses(0, folder.ports(programs.PORTS))
    account = postgres.account()
    if account:
        postgres.let_pass(account, folder)
    secrets = folder.secrets()
    cluster = postgres.Cluster(folder.postgres, addresses.ports["postgres"], secrets, account)
    children: list[Child] = []
    try:
        await cluster.make()
        for program in (cluster.program(), programs.broker(addresses)):
            child = Child(program, folder.logs)
            await child.start()
            children.append(child)
        await children[0].becomes_ready(cluster.accepts)
        await children[1].becomes_ready(lambda: listens(addresses.ports["broker"]))
        superuser = cluster.url("", postgres.SUPERUSER, secrets.superuser).rstrip("/")
        yield Parts(addresses.of("broker"), superuser, embedded=True)
    finally:
        hurry = asyncio.Event()
        hurry.set()
        for child in reversed(children):
            await child.stop(hurry)
        folder.unlock()


def require_engine() -> None:
    """End the run with one line where no container engine answers; tell testcontainers how to use it where one does."""
    os.environ.setdefault("TESTCONTAINERS_RYUK_DISABLED", "true")  # its reaper is one more image to fetch
    os.environ.setdefault("TESTCONTAINERS_CONNECTION_MODE", "docker_host")
    import docker  # noqa: PLC0415 - only this run needs an engine
    from docker.errors import DockerException  # noqa: PLC0415

    try:
        docker.from_env().ping()
    except DockerException:
        pytest.exit("no container engine answers; start Docker (or set DOCKER_HOST), or run `make test`", returncode=1)


@contextmanager
def containers() -> Iterator[Parts]:
    """Run Apache Kafka and PostgreSQL in containers; ends the run with one line where no engine answers."""
    require_engine()
    port = _free_port()
    with apache_kafka(port), postgres_in_a_container() as url:
        yield Parts(f"{LOOPBACK}:{port}", url, embedded=False)


def apache_kafka(port: int, known_as: int | None = None) -> "DockerContainer":
    """Describe a container with Apache Kafka on a port of the loopback; `known_as` is the port it tells its clients."""
    from testcontainers.core.container import DockerContainer  # noqa: PLC0415 - only this run needs an engine
    from testcontainers.core.wait_strategies import LogMessageWaitStrategy  # noqa: PLC0415

    kafka = (
        DockerContainer(KAFKA_IMAGE)
        .with_envs(
            KAFKA_NODE_ID="1",
            KAFKA_PROCESS_ROLES="broker,controller",
            KAFKA_LISTENERS="PLAINTEXT://:9092,CONTROLLER://:9093",
            KAFKA_ADVERTISED_LISTENERS=f"PLAINTEXT://{LOOPBACK}:{known_as or port}",
            KAFKA_CONTROLLER_LISTENER_NAMES="CONTROLLER",
            KAFKA_LISTENER_SECURITY_PROTOCOL_MAP="CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
            KAFKA_CONTROLLER_QUORUM_VOTERS="1@localhost:9093",
            KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR="1",
            KAFKA_OFFSETS_TOPIC_NUM_PARTITIONS="5",
            KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR="1",
            KAFKA_TRANSACTION_STATE_LOG_MIN_ISR="1",
            KAFKA_SHARE_COORDINATOR_STATE_TOPIC_REPLICATION_FACTOR="1",
            KAFKA_SHARE_COORDINATOR_STATE_TOPIC_MIN_ISR="1",
            KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS="0",
            KAFKA_GROUP_MIN_SESSION_TIMEOUT_MS="1000",
            KAFKA_AUTO_CREATE_TOPICS_ENABLE="false",
            KAFKA_LOG_DIRS="/var/lib/kafka/data",
        )
        .waiting_for(LogMessageWaitStrategy("Kafka Server started").with_startup_timeout(90))
    )
    # Nobody but this machine reaches it; the engine takes an address here, the library's types do not know it.
    kafka.ports = {"9092/tcp": (LOOPBACK, port)}  # type: ignore[dict-item]
    return kafka


@contextmanager
def postgres_in_a_container() -> Iterator[str]:
    """Run PostgreSQL in a container, and give a superuser's address without a database."""
    with postgresql() as database:
        yield f"postgresql://postgres:{PASSWORD}@{LOOPBACK}:{database.get_exposed_port(5432)}"


def postgresql(port: int | None = None) -> "DockerContainer":
    """Describe a container with PostgreSQL on a port of the loopback, any where none is named."""
    from testcontainers.core.container import DockerContainer  # noqa: PLC0415 - only this run needs an engine
    from testcontainers.core.wait_strategies import LogMessageWaitStrategy  # noqa: PLC0415

    database = (
        DockerContainer(POSTGRES_IMAGE)
        .with_env("POSTGRES_PASSWORD", PASSWORD)
        .waiting_for(LogMessageWaitStrategy("database system is ready to accept connections", times=2))
    )
    database.ports = {"5432/tcp": (LOOPBACK, port)}  # type: ignore[dict-item]  # as above
    return database


def _free_port() -> int:
    # Kafka tells its clients where it is, so the port must be known before it starts.
    with socket.socket() as held:
        held.bind((LOOPBACK, 0))
        return int(held.getsockname()[1])
