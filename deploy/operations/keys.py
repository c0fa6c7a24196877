"""The key that signs links, told apart from others without being told: a fingerprint of it may lie in a backup."""

import hashlib
import hmac
from collections.abc import Iterable, Mapping

from pydantic import BaseModel, SecretStr

from shared.settings import load

_CONSTANT = b"convoca: which key signs the links"


class Keys(BaseModel):
    """The setting of the services that holds their keys, where the command is told it too."""

    secret_key: SecretStr | None = None


def told(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Give the keys that the settings name, the signing one first; none where they name none."""
    keys = load(Keys, environment).secret_key
    return tuple(keys.get_secret_value().split()) if keys else ()


def fingerprints(keys: Iterable[str]) -> tuple[str, ...]:
    """Give what each key is known by: the same of the same key, and nothing by which it could be guessed.

    The keys are drawn and long (32 characters at the least), so that nobody finds one by trying.
    """
    return tuple(hmac.new(key.encode(), _CONSTANT, hashlib.sha256).hexdigest()[:32] for key in keys)
