"""Which PostgreSQL and which broker a run stands on: the embedded ones from wheels, or containers."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from deploy.embedded import postgres, programs
from deploy.embedded.folder import LOOPBACK, Folder
from deploy.embedded.processes import Child, Program, listens
from tests.deploy.running import free_port

if TYPE_CHECKING:
    from testcontainers.core.container import DockerContainer

KAFKA_IMAGE = os.environ.get("KAFKA_IMAGE", "apache/kafka:4.3.1")
POSTGRES_IMAGE = os.environ.get("POSTGRES_IMAGE", "postgres:18")
PASSWORD = "only-for-tests"


@dataclass(frozen=True, slots=True)
class Parts:
    """Where the two real parts are: Kafka as `host:port`, PostgreSQL as a superuser's address without a database.

    A broker tells its clients where it is. One that listens at `kafka_behind_wire` says that it is at `wired_port`,
    so that a test can lay a wire there and cut it; it is another broker, or the same by another door.
    """

    kafka: str
    postgres: str
    embedded: bool
    kafka_behind_wire: int = 0
    wired_port: int = 0

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
    behind, wired = free_port(), free_port()
    try:
        await cluster.make()
        broker = programs.broker(addresses)
        for program in (cluster.program(), broker, _behind_wire(broker, behind, wired)):
            child = Child(program, folder.logs)
            await child.start()
            children.append(child)
        await children[0].becomes_ready(cluster.accepts)
        await children[1].becomes_ready(lambda: listens(addresses.ports["broker"]))
        await children[2].becomes_ready(lambda: listens(behind))
        superuser = cluster.url("", postgres.SUPERUSER, secrets.superuser).rstrip("/")
        yield Parts(addresses.of("broker"), superuser, embedded=True, kafka_behind_wire=behind, wired_port=wired)
    finally:
        hurry = asyncio.Event()
        hurry.set()
        for child in reversed(children):
            await child.stop(hurry)
        folder.unlock()


def _behind_wire(broker: Program, behind: int, wired: int) -> Program:
    """Give another broker, which listens at one port and says that it is at another."""
    named = {"--listener-url": behind, "--advertised-listener-url": wired}
    command = list(broker.command)
    for option, port in named.items():
        command[command.index(option) + 1] = f"tcp://{LOOPBACK}:{port}"
    return replace(broker, name=f"{broker.name}-behind-wire", command=tuple(command))


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
    # Kafka tells its clients where it is, so the ports must be known before it starts.
    port, behind, wired = free_port(), free_port(), free_port()
    with apache_kafka(port, behind, wired), postgres_in_a_container() as url:
        yield Parts(f"{LOOPBACK}:{port}", url, embedded=False, kafka_behind_wire=behind, wired_port=wired)


def apache_kafka(port: int, behind: int, wired: int) -> "DockerContainer":
    """Describe a container with Apache Kafka at two ports of the loopback; `behind` sends its clients to `wired`."""
    from testcontainers.core.container import DockerContainer  # noqa: PLC0415 - only this run needs an engine
    from testcontainers.core.wait_strategies import LogMessageWaitStrategy  # noqa: PLC0415

    kafka = (
        DockerContainer(KAFKA_IMAGE)
        .with_envs(
            KAFKA_NODE_ID="1",
            KAFKA_PROCESS_ROLES="broker,controller",
            KAFKA_LISTENERS="PLAINTEXT://:9092,WIRED://:9094,CONTROLLER://:9093",
            KAFKA_ADVERTISED_LISTENERS=f"PLAINTEXT://{LOOPBACK}:{port},WIRED://{LOOPBACK}:{wired}",
            KAFKA_INTER_BROKER_LISTENER_NAME="PLAINTEXT",
            KAFKA_CONTROLLER_LISTENER_NAMES="CONTROLLER",
            KAFKA_LISTENER_SECURITY_PROTOCOL_MAP="CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,WIRED:PLAINTEXT",
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
    kafka.ports = {"9092/tcp": (LOOPBACK, port), "9094/tcp": (LOOPBACK, behind)}  # type: ignore[dict-item]
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
