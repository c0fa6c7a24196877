"""Users and what they may do, made on the broker; on one that asks nobody who they are there is nothing to make."""

import secrets
from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from typing import Any, Protocol

from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialAlteration,
    UserScramCredentialDeletion,
    UserScramCredentialUpsertion,
)
from pydantic import BaseModel, ConfigDict

from deploy.kafka.admin import SECONDS_TO_ANSWER, Refused, admin_client
from deploy.kafka.admin import answered as _answered
from deploy.kafka.rights import Right
from shared.messaging.kafka import MECHANISM
from shared.settings import KafkaSettings

ITERATIONS = 8192
"""Of the hash that the broker keeps of a password; ours are drawn, so that more would protect nothing."""


class Login(BaseModel):
    """How a client reaches the broker; `ca` is a certificate (PEM). What is not used is None."""

    model_config = ConfigDict(frozen=True)

    servers: str
    security: str
    mechanism: str | None = None
    username: str | None = None
    password: str | None = None
    ca: str | None = None


class Access(Protocol):
    """What is asked of a broker, whether it knows users or not. Raises Unavailable where the broker does not comply."""

    async def knows(self, user: str) -> bool:
        """Tell whether there is such a user."""

    async def let_in(self, user: str, rights: Sequence[Right]) -> Login:
        """Make a user with a drawn password, who may do this and nothing else.

        The user is made last: what breaks off before leaves rights that are nobody's.
        """

    async def allow(self, user: str, rights: Sequence[Right], password: str | None = None) -> None:
        """Add to what a user may do; with a `password`, it is theirs from now on. Harmless where all is so already."""

    async def lacks(self, user: str, rights: Sequence[Right]) -> list[Right]:
        """Tell which of these rights a user has not."""

    async def shut_out(self, user: str) -> bool:
        """Take a user away with all that they might do; tells whether there was such a user."""


def access_to(settings: KafkaSettings, told: KafkaSettings | None = None) -> Access:
    """Give the access to a broker, as the administrator whom the settings name.

    Who is let in is told the way that `told` names, where that is another one.
    """
    if settings.kafka_security.startswith("sasl"):
        return Guarded(settings, told or settings)
    return Open(settings)


class Open:
    """A broker that asks nobody who they are: all may do everything, and nothing is made."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings

    async def knows(self, user: str) -> bool:  # noqa: ARG002 - nobody is known
        """Tell that nobody is known here."""
        return False

    async def let_in(self, user: str, rights: Sequence[Right]) -> Login:  # noqa: ARG002 - all may
        """Tell where the broker is."""
        return _login(self._settings)

    async def allow(self, user: str, rights: Sequence[Right], password: str | None = None) -> None:
        """Do nothing: all may do this."""

    async def lacks(self, user: str, rights: Sequence[Right]) -> list[Right]:  # noqa: ARG002 - all may
        """Tell that nobody lacks anything."""
        return []

    async def shut_out(self, user: str) -> bool:  # noqa: ARG002 - nobody is known
        """Tell that there was nobody."""
        return False


class Guarded:
    """A broker that knows its users by SCRAM-SHA-512, and lets each do what an ACL grants."""

    def __init__(self, settings: KafkaSettings, told: KafkaSettings) -> None:
        self._told = told
        self._admin = admin_client(settings)
        self._may_look = False

    async def knows(self, user: str) -> bool:
        """Tell whether there is such a user."""
        await self._require_to_look()
        asked = self._admin.describe_user_scram_credentials(request_timeout=SECONDS_TO_ANSWER)
        if isinstance(asked, dict):  # it is one where users are named; one who is not known would then be an error
            message = "all users were asked for"
            raise TypeError(message)
        return user in await _answered(asked)

    async def let_in(self, user: str, rights: Sequence[Right]) -> Login:
        """Make a user with a drawn password, who may do this and nothing else."""
        await self._delete_rights(user)  # what an attempt that broke off has left
        password = secrets.token_urlsafe(32)
        await self.allow(user, rights, password)
        return _login(self._told).model_copy(update={"mechanism": MECHANISM, "username": user, "password": password})

    async def allow(self, user: str, rights: Sequence[Right], password: str | None = None) -> None:
        """Add to what a user may do; with a `password`, it is theirs from now on."""
        if bindings := [_binding(user, right) for right in dict.fromkeys(rights)]:
            await _all(self._admin.create_acls(bindings, request_timeout=SECONDS_TO_ANSWER).values())
        if password is not None:
            info = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, ITERATIONS)
            await self._alter(UserScramCredentialUpsertion(user, info, password.encode()))

    async def lacks(self, user: str, rights: Sequence[Right]) -> list[Right]:
        """Tell which of these rights no rule of the user's own grants, from any host."""
        await self._require_to_look()
        asked = self._admin.describe_acls(_all_of(user), request_timeout=SECONDS_TO_ANSWER)
        granted = {_seen(each) for each in await _answered(asked)}
        return [right for right in rights if _seen(_binding(user, right)) not in granted]

    async def shut_out(self, user: str) -> bool:
        """Take a user away with all that they might do; tells whether there was such a user."""
        await self._delete_rights(user)
        known = await self.knows(user)
        if known:
            await self._alter(UserScramCredentialDeletion(user, ScramMechanism.SCRAM_SHA_512))
        return known

    async def _require_to_look(self) -> None:
        """Raise Refused for who may not look."""
        # Asked by itself: refused the rules, the library gives none; refused the users, it ends the whole process.
        if self._may_look:
            return
        asked = self._admin.describe_cluster(include_authorized_operations=True, request_timeout=SECONDS_TO_ANSWER)
        if AclOperation.DESCRIBE not in ((await _answered(asked)).authorized_operations or ()):
            slug = "broker"
            message = "the broker does not let this user see what users there are, and what each may do"
            raise Refused(slug, message)
        self._may_look = True

    async def _alter(self, alteration: UserScramCredentialAlteration) -> None:
        altered = self._admin.alter_user_scram_credentials([alteration], request_timeout=SECONDS_TO_ANSWER)
        await _all(altered.values())

    async def _delete_rights(self, user: str) -> None:
        await _all(self._admin.delete_acls([_all_of(user)], request_timeout=SECONDS_TO_ANSWER).values())


def _binding(user: str, right: Right) -> AclBinding:
    return AclBinding(
        {"topic": ResourceType.TOPIC, "group": ResourceType.GROUP}[right.resource],
        right.name,
        ResourcePatternType.PREFIXED if right.prefix else ResourcePatternType.LITERAL,
        _principal(user),
        "*",
        {"read": AclOperation.READ, "write": AclOperation.WRITE}[right.does],
        AclPermissionType.ALLOW,
    )


def _all_of(user: str) -> AclBindingFilter:
    return AclBindingFilter(
        ResourceType.ANY,
        None,  # type: ignore[arg-type]  # of any name, which the library's types do not know
        ResourcePatternType.ANY,
        _principal(user),
        None,  # type: ignore[arg-type]  # from any host
        AclOperation.ANY,
        AclPermissionType.ANY,
    )


def _seen(binding: AclBinding) -> tuple[object, ...]:
    return (binding.restype, binding.name, binding.resource_pattern_type, binding.host, binding.operation)


def _principal(user: str) -> str:
    return f"User:{user}"


def _login(settings: KafkaSettings) -> Login:
    ca = settings.kafka_ca_file
    return Login(
        servers=settings.kafka_servers,
        security=settings.kafka_security,
        ca=ca.read_text(encoding="ascii") if ca else None,
    )


async def _all(futures: Iterable["Future[Any]"]) -> None:
    for future in futures:
        await _answered(future)
