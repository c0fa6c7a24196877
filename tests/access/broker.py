"""Apache Kafka as a careful operator runs it: whoever connects says who they are, and does only what an ACL grants."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from confluent_kafka.admin import (
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)
from pydantic import SecretStr

from deploy.embedded.folder import LOOPBACK
from shared.settings import KafkaSettings
from tests.brokers import KAFKA_IMAGE, require_engine
from tests.deploy.running import free_port

ADMIN = "admin"
PASSWORD = "only-for-tests"
PROPERTIES = f"""
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@localhost:9093
listeners=CLIENTS://:9092,CONTROLLER://:9093
advertised.listeners=CLIENTS://{LOOPBACK}:%(port)d
listener.security.protocol.map=CLIENTS:SASL_PLAINTEXT,CONTROLLER:SASL_PLAINTEXT
controller.listener.names=CONTROLLER
inter.broker.listener.name=CLIENTS
sasl.enabled.mechanisms=SCRAM-SHA-512
sasl.mechanism.inter.broker.protocol=SCRAM-SHA-512
listener.name.clients.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule \
required username="{ADMIN}" password="{PASSWORD}";
sasl.mechanism.controller.protocol=PLAIN
listener.name.controller.sasl.enabled.mechanisms=PLAIN
listener.name.controller.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule \
required username="node" password="{PASSWORD}" user_node="{PASSWORD}";
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:{ADMIN};User:node
allow.everyone.if.no.acl.found=false
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=5
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
log.dirs=/tmp/records
"""
# The first user is written where the storage is made, for nobody could log in to make it. Two JVMs start one after the
# other, without the compiler that pays only after minutes.
START = f"""
export KAFKA_JVM_PERFORMANCE_OPTS="-XX:+UseSerialGC -XX:TieredStopAtLevel=1"
printf '%s' "$PROPERTIES" > /tmp/server.properties
/opt/kafka/bin/kafka-storage.sh format --cluster-id 5L6g3nShT-eMCtK--X86sw --config /tmp/server.properties \
    --add-scram 'SCRAM-SHA-512=[name={ADMIN},password={PASSWORD}]' &&
exec /opt/kafka/bin/kafka-server-start.sh /tmp/server.properties
"""


@dataclass(frozen=True, slots=True)
class Guarded:
    """Where it is; `as_admin` may do everything."""

    servers: str

    def as_user(self, username: str, password: str) -> KafkaSettings:
        """Give the settings of somebody who connects."""
        return KafkaSettings(
            kafka_servers=self.servers,
            kafka_security="sasl_plaintext",
            kafka_username=username,
            kafka_password=SecretStr(password),
        )

    @property
    def as_admin(self) -> KafkaSettings:
        """Give the settings of its administrator."""
        return self.as_user(ADMIN, PASSWORD)


@contextmanager
def guarded() -> Iterator[Guarded]:
    """Run it in a container, on the loopback only."""
    require_engine()
    from testcontainers.core.container import DockerContainer  # noqa: PLC0415 - only this run needs an engine
    from testcontainers.core.wait_strategies import LogMessageWaitStrategy  # noqa: PLC0415

    port = free_port()
    container = (
        DockerContainer(KAFKA_IMAGE)
        .with_envs(PROPERTIES=PROPERTIES % {"port": port}, KAFKA_HEAP_OPTS="-Xmx512m")
        .with_command(["bash", "-c", START])
        .waiting_for(LogMessageWaitStrategy("Kafka Server started").with_startup_timeout(180))
    )
    container.ports = {"9092/tcp": (LOOPBACK, port)}  # type: ignore[dict-item]  # as in tests/brokers.py
    with container:
        yield Guarded(f"{LOOPBACK}:{port}")


def admin_of(broker: Guarded) -> AdminClient:
    """Give a client of the administrator's."""
    return AdminClient(
        {
            "bootstrap.servers": broker.servers,
            "security.protocol": "SASL_PLAINTEXT",
            "sasl.mechanism": "SCRAM-SHA-512",
            "sasl.username": ADMIN,
            "sasl.password": PASSWORD,
        }
    )


def acls_of(broker: Guarded, user: str) -> set[tuple[str, str, str, str]]:
    """Give what the broker's ACLs grant a user: kind of resource, pattern, name, operation."""
    theirs = AclBindingFilter(
        ResourceType.ANY,
        None,  # type: ignore[arg-type]  # of any name
        ResourcePatternType.ANY,
        f"User:{user}",
        None,  # type: ignore[arg-type]  # from any host
        AclOperation.ANY,
        AclPermissionType.ANY,
    )
    admin = admin_of(broker)  # by its name, for a client that nobody holds gives up what it was asked
    found = admin.describe_acls(theirs, request_timeout=10).result()
    assert all(each.permission_type is AclPermissionType.ALLOW for each in found)
    return {(each.restype.name, each.resource_pattern_type.name, each.name, each.operation.name) for each in found}
