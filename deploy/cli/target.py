"""Which deployment a command acts on: the one that the settings name, else the embedded stack."""

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import BaseModel, PositiveInt, SecretStr

from deploy.embedded.folder import Folder, NoStack, Running
from shared.database import Database, Transaction
from shared.events.topics import SERVICES
from shared.settings import PREFIX, REPLAY_DAYS, KafkaSettings, SettingsError, load, setting


@dataclass(frozen=True, slots=True)
class Target:
    """A deployment. Raises SettingsError where the settings name one without what the command needs."""

    environment: Mapping[str, str]
    embedded: Running | None

    def database_url(self, service: str) -> str:
        """Give the address of a service's database."""
        if self.embedded:
            return self.embedded.databases[service]
        name = f"{PREFIX}{service.upper()}_DATABASE_URL"
        url = setting(name, self.environment)
        if url is None:
            message = f"{name}: is missing"
            raise SettingsError(message)
        return url

    def database_urls(self, services: tuple[str, ...] = SERVICES) -> dict[str, str]:
        """Give the addresses of several services' databases."""
        return {service: self.database_url(service) for service in services}

    def postgres_admin(self) -> str | None:
        """Give the address by which databases and roles are made; None where somebody else makes them."""
        return setting(f"{PREFIX}POSTGRES_ADMIN_URL", self.environment)

    def kafka_user(self, service: str) -> tuple[str, str | None]:
        """Name the broker's user as whom a service works, called like the service unless a setting says otherwise.

        With it comes the password that the user is to have; None where somebody else looks after it.
        """
        prefix = f"{PREFIX}{service.upper()}_KAFKA"
        return setting(f"{prefix}_USERNAME", self.environment) or service, setting(
            f"{prefix}_PASSWORD", self.environment
        )

    def kafka(self) -> KafkaSettings:
        """Give the broker, as whoever may administer it."""
        if self.embedded:
            return KafkaSettings(kafka_servers=self.embedded.kafka)
        settings = load(KafkaSettings, self.environment)
        admin = load(_Admin, self.environment)
        if admin.kafka_admin_username is None:
            return settings
        return settings.model_copy(
            update={
                "kafka_username": admin.kafka_admin_username,
                "kafka_password": admin.kafka_admin_password,
            }
        )

    def kafka_for_outside(self) -> KafkaSettings:
        """Give the broker as outside systems reach it, which may be by another address than the command itself."""
        public = load(_Public, self.environment)
        if self.embedded or public.kafka_public_servers is None:
            return self.kafka()
        return KafkaSettings(
            kafka_servers=public.kafka_public_servers,
            kafka_security="sasl_ssl",
            kafka_ca_file=public.kafka_public_ca_file,
        )

    def replay_horizon(self) -> timedelta:
        """Tell how far back a replay reaches, by the services' setting."""
        return timedelta(days=load(_Replays, self.environment).replay_days)

    @asynccontextmanager
    async def transaction(self, service: str) -> AsyncIterator[Transaction]:
        """Work in a service's database; leaving the block commits."""
        database = Database(self.database_url(service), service)
        try:
            async with database.transaction(datetime.now(UTC)) as tx:
                yield tx
        finally:
            await database.close()


class _Replays(BaseModel):
    replay_days: PositiveInt = REPLAY_DAYS


class _Public(BaseModel):
    kafka_public_servers: str | None = None
    kafka_public_ca_file: Path | None = None


class _Admin(KafkaSettings):
    kafka_admin_username: str | None = None
    kafka_admin_password: SecretStr | None = None


def is_named(environment: Mapping[str, str] = os.environ) -> bool:
    """Tell whether the settings name a deployment."""
    naming = [f"{PREFIX}KAFKA_SERVERS", *(f"{PREFIX}{service.upper()}_DATABASE_URL" for service in SERVICES)]
    return any(name in environment or f"{name}_FILE" in environment for name in naming)


def target(data: Path, environment: Mapping[str, str] = os.environ) -> Target:
    """Find the deployment; raises NoStack where none is named and none runs in `data`."""
    if is_named(environment):
        return Target(environment, None)
    running = Folder(data).running()
    if running is None:
        message = f"no stack runs in {data}; start one with `convoca up --data {data}`, or name one by settings"
        raise NoStack(message)
    return Target({}, running)
