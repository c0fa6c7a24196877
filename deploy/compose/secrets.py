"""The secrets of a deployment: drawn once, each a file of its own, which compose shows to those who need it."""

import base64
import secrets
import uuid

from shared.events.topics import SERVICES

JAAS = """\
// Who logs in at Kafka's listeners: clients as users that Kafka itself keeps, the node to itself by this word.
clients.KafkaServer {{
  org.apache.kafka.common.security.scram.ScramLoginModule required;
}};
broker.KafkaServer {{
  org.apache.kafka.common.security.plain.PlainLoginModule required username="node" password="{node}" user_node="{node}";
}};
controller.KafkaServer {{
  org.apache.kafka.common.security.plain.PlainLoginModule required username="node" password="{node}" user_node="{node}";
}};
"""


def drawn(smtp_url: str) -> dict[str, str]:
    """Draw all secrets: the content of each file, by its name in docker-compose.yml."""
    superuser = _word()
    content = {
        "signing_key": secrets.token_urlsafe(48),
        "smtp_url": smtp_url,
        "postgres_password": superuser,
        "postgres_admin_url": f"postgresql://postgres:{superuser}@postgres:5432/postgres",
        "kafka_admin_password": _word(),
        "kafka_jaas": JAAS.format(node=_word()),
        "grafana_admin_password": _word(),
    }
    for service in SERVICES:
        content[f"{service}_database_url"] = f"postgresql://{service}:{_word()}@postgres:5432/{service}"
        content[f"{service}_kafka_password"] = _word()
    return content


def cluster_id() -> str:
    """Draw what Kafka calls its cluster: a UUID in base64, no secret, which its tools can take for no option."""
    while (drawn := base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")).startswith("-"):
        pass
    return drawn


def _word() -> str:
    return secrets.token_urlsafe(32)
