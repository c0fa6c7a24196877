"""What a process is told by its environment; secrets may come from files (`NAME_FILE`)."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self, TypeVar

import yaml
from pydantic import (
    AfterValidator,
    AnyHttpUrl,
    BaseModel,
    ConfigDict,
    EmailStr,
    Field,
    PositiveInt,
    SecretStr,
    ValidationError,
)

from shared.errors import wording

PREFIX = "CONVOCA_"
SHORTEST_KEY = 32
REPLAY_DAYS = 30
"""How long all that was said can be said again, unless a setting says otherwise."""
M = TypeVar("M", bound=BaseModel)


class SettingsError(Exception):
    """A setting is missing or malformed; its text is one line that names it."""


class Staff(BaseModel):
    """One of the office's people who is told of things: `name` is how the ledger calls them."""

    model_config = ConfigDict(frozen=True)

    name: str
    email: EmailStr
    language: Literal["ca", "es", "en"] = "ca"


class Office(BaseModel):
    """The public office that this installation speaks for (the file that `CONVOCA_OFFICE` names)."""

    model_config = ConfigDict(frozen=True)

    name: dict[Literal["ca", "es", "en"], str]
    address: EmailStr
    timezone: str = "Europe/Madrid"
    staff: tuple[Staff, ...] = ()


def read_office(path: Path) -> Office:
    """Read the office's file (YAML); a file that is missing or wrong is a ValueError that says so."""
    try:
        return Office.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, yaml.YAMLError, ValidationError) as error:
        message = f"{path}: {first_fault(error)}"
        raise ValueError(message) from error


def _long_enough(keys: SecretStr) -> SecretStr:
    if any(len(key) < SHORTEST_KEY for key in keys.get_secret_value().split() or [""]):
        message = f"each key needs {SHORTEST_KEY} characters or more"
        raise ValueError(message)
    return keys


class KafkaSettings(BaseModel):
    """Where the bus is and how one logs in to it."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    kafka_servers: str
    kafka_security: Literal["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"] = "plaintext"
    kafka_username: str | None = None
    kafka_password: SecretStr | None = None
    kafka_ca_file: Path | None = None
    kafka_session_seconds: PositiveInt = 10
    kafka_fetch_wait_ms: PositiveInt = 500
    kafka_drop_stuck_groups: bool = False
    kafka_replication: PositiveInt = 1
    """How many copies of a topic are kept, by whoever makes it."""


class ServiceSettings(KafkaSettings):
    """What each service needs; a service's own settings add to it."""

    database_url: str = Field(pattern=r"^postgres(ql)?://")
    public_url: AnyHttpUrl
    secret_key: Annotated[SecretStr, AfterValidator(_long_enough)]
    office: Path
    host: str = "127.0.0.1"
    port: PositiveInt = 8000
    log: Literal["json", "console"] = "json"
    otlp_endpoint: AnyHttpUrl | None = None
    replay_on_start: bool = False
    replay_days: PositiveInt = REPLAY_DAYS

    @property
    def secret_keys(self) -> tuple[str, ...]:
        """The signing key first, then those that a rotation has left valid."""
        return tuple(self.secret_key.get_secret_value().split())

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Read `CONVOCA_*` and `CONVOCA_*_FILE`; raises SettingsError naming the first that is wrong."""
        return load(cls, environment)


def setting(name: str, environment: Mapping[str, str]) -> str | None:
    """Read one setting, or else the file that `<name>_FILE` names; None where neither is told. Raises SettingsError."""
    path = environment.get(f"{name}_FILE")
    if name in environment or not path:
        return environment.get(name)
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError as error:
        message = f"{name}_FILE: {path} cannot be read ({error.strerror})"
        raise SettingsError(message) from error
    except UnicodeDecodeError as error:
        message = f"{name}_FILE: {path} is not UTF-8"
        raise SettingsError(message) from error


def load(model: type[M], environment: Mapping[str, str]) -> M:
    """Make `model` of the settings that its fields name; raises SettingsError in one line."""
    told = {field: setting(PREFIX + field.upper(), environment) for field in model.model_fields}
    try:
        return model.model_validate({field: value for field, value in told.items() if value is not None})
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        name = PREFIX + str(fault["loc"][0]).upper()
        message = f"{name}: {'is missing' if fault['type'] == 'missing' else wording(fault)}"
        raise SettingsError(message) from error


def first_fault(error: Exception) -> str:
    """Say in one line where a validation first failed, without repeating the value."""
    if isinstance(error, ValidationError):
        fault = error.errors(include_url=False, include_input=False)[0]
        return f"{'.'.join(map(str, fault['loc']))}: {wording(fault)}"
    return " ".join(str(error).split())
