"""What the environment says to this service."""

from dataclasses import dataclass, field
from typing import Annotated, Self
from urllib.parse import SplitResult, unquote, urlsplit

from pydantic import AfterValidator, NameEmail, SecretStr

from shared.settings import ServiceSettings

PORTS = {"smtp": 25, "smtp+starttls": 587, "smtps": 465}


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """Where an SMTP server is and how one speaks to it."""

    host: str
    port: int
    scheme: str
    username: str | None = None
    password: str | None = field(default=None, repr=False)

    @classmethod
    def parse(cls, url: str) -> Self:
        """Read `smtp://`, `smtp+starttls://` or `smtps://` `user:password@host:port`.

        Raises a ValueError that repeats nothing of it: where a password holds `#` or `?` as they are, the library takes
        its beginning for the port.
        """
        parts: SplitResult = urlsplit(url)
        if parts.query or parts.fragment:
            raise ValueError("is no address of a server: in a password write # as %23, ? as %3F, / as %2F, @ as %40")
        if parts.scheme not in PORTS or not parts.hostname or parts.path.strip("/"):
            raise ValueError("is no smtp://, smtp+starttls:// or smtps:// address of a server")
        return cls(
            host=parts.hostname,
            port=parts.port or PORTS[parts.scheme],
            scheme=parts.scheme,
            username=None if parts.username is None else unquote(parts.username),
            password=None if parts.password is None else unquote(parts.password),
        )


def _smtp(url: SecretStr) -> SecretStr:
    SmtpServer.parse(url.get_secret_value())
    return url


class Settings(ServiceSettings):
    """CONVOCA_SMTP_URL (it may hold a password) and CONVOCA_MAIL_FROM, beside what every service needs."""

    smtp_url: Annotated[SecretStr, AfterValidator(_smtp)]
    mail_from: NameEmail

    @property
    def smtp(self) -> SmtpServer:
        """Where mails are handed over."""
        return SmtpServer.parse(self.smtp_url.get_secret_value())
