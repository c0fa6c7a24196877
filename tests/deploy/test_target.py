"""What a command takes from its settings."""

from pathlib import Path

from deploy.cli.target import target
from shared.settings import KafkaSettings

INSIDE = {
    "CONVOCA_KAFKA_SERVERS": "kafka:9092",
    "CONVOCA_KAFKA_SECURITY": "sasl_plaintext",
    "CONVOCA_KAFKA_ADMIN_USERNAME": "admin",
    "CONVOCA_KAFKA_ADMIN_PASSWORD": "a word",
}


def test_outside_systems_are_told_the_broker_that_the_command_uses_unless_there_is_another_way() -> None:
    where = target(Path("nowhere"), INSIDE)
    assert where.kafka_for_outside() == where.kafka()


def test_outside_systems_are_told_the_way_that_is_for_them_and_no_password_of_ours() -> None:
    public = {
        "CONVOCA_KAFKA_PUBLIC_SERVERS": "kafka.example.org:9094",
        "CONVOCA_KAFKA_PUBLIC_CA_FILE": "/run/secrets/kafka_ca",
    }
    where = target(Path("nowhere"), {**INSIDE, **public})
    assert where.kafka().kafka_servers == "kafka:9092"
    assert where.kafka_for_outside() == KafkaSettings(
        kafka_servers="kafka.example.org:9094",
        kafka_security="sasl_ssl",
        kafka_ca_file=Path("/run/secrets/kafka_ca"),
    )
