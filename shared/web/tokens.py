"""Who may: bearer tokens of staff, and signed links that let one act on one's own enrolment."""

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Literal
from uuid import UUID

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from shared.errors import Forbidden, Unauthorised
from shared.messaging.publishers import digest
from shared.web.openapi import Refusals

Scope = Literal["staff"]
SIGNATURE_BYTES = 16
REFUSALS_TO_STAFF: Refusals = {401: ["no-token", "unknown-token"], 403: ["wrong-scope"]}
REFUSALS_TO_PUBLISHERS: Refusals = {401: ["no-token"], 403: ["unknown-token", "wrong-scope"]}
_bearer = HTTPBearer(
    auto_error=False,
    scheme_name="bearer",
    description="Of staff, by `convoca token create`; of an outside system, by `convoca publisher add`.",
)
Bearer = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose token it is, and what for."""

    name: str
    scope: str


@dataclass(frozen=True, slots=True)
class Links:
    """Signs and reads the tokens of manage links; `keys` are the signing key first, then older ones still accepted."""

    keys: Sequence[str]

    def enrolment_token(self, enrolment_id: UUID) -> str:
        """Give the token by which whoever has it may change this enrolment; it does not expire."""
        return _text(enrolment_id.bytes + self._sign(self.keys[0], enrolment_id))

    def read(self, token: str) -> UUID | None:
        """Give the enrolment that a token is for; None where it was not signed by us."""
        try:
            raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            return None
        if len(raw) != len(UUID(int=0).bytes) + SIGNATURE_BYTES or _text(raw) != token:
            return None
        enrolment_id = UUID(bytes=raw[:-SIGNATURE_BYTES])
        good = any(hmac.compare_digest(raw[-SIGNATURE_BYTES:], self._sign(key, enrolment_id)) for key in self.keys)
        return enrolment_id if good else None

    @staticmethod
    def _sign(key: str, enrolment_id: UUID) -> bytes:
        signed = hmac.new(key.encode(), b"enrolment:" + enrolment_id.bytes, hashlib.sha256)
        return signed.digest()[:SIGNATURE_BYTES]


async def create(session: AsyncSession, name: str, scope: Scope, token: str, now: datetime, days: int | None) -> None:
    """Let the holder of `token` act as `name`; one of that name is replaced. Only the hash is kept."""
    await session.execute(
        text(
            """
            INSERT INTO tokens (name, scope, token_hash, created_at, expires_at)
            VALUES (:name, :scope, :hash, :now, :expires)
            ON CONFLICT (name) DO UPDATE SET scope = excluded.scope, token_hash = excluded.token_hash,
                created_at = excluded.created_at, expires_at = excluded.expires_at
            """
        ),
        {
            "name": name,
            "scope": scope,
            "hash": digest(token),
            "now": now,
            "expires": None if days is None else now + timedelta(days=days),
        },
    )


async def revoke(session: AsyncSession, name: str) -> bool:
    """End a token; tells whether there was one of that name."""
    revoked = await session.scalar(text("DELETE FROM tokens WHERE name = :name RETURNING name"), {"name": name})
    return revoked is not None


def generate() -> str:
    """Make a token that nobody guesses."""
    return secrets.token_urlsafe(32)


async def caller_of(request: Request, token: str) -> Caller:
    """Tell who holds `token`; raises Unauthorised where it is unknown or has expired.

    The token of a manage link is its participant's, who is named by the enrolment.
    """
    service = request.app.state.service
    if (enrolment_id := Links(service.settings.secret_keys).read(token)) is not None:
        return Caller(str(enrolment_id), "participant")
    async with service.transaction() as tx:
        rows = await tx.session.execute(
            text(
                """
                SELECT name, scope FROM tokens
                WHERE token_hash = :hash AND (expires_at IS NULL OR expires_at > :now)
                UNION ALL
                SELECT name, 'publisher' FROM publishers WHERE token_hash = :hash
                """
            ),
            {"hash": digest(token), "now": tx.now},
        )
        row = rows.one_or_none()
    if row is None:
        slug = "unknown-token"
        raise Unauthorised(slug, "The token is not known here, or has expired.")
    return Caller(row.name, row.scope)


async def require_staff(request: Request, bearer: Bearer) -> Caller:
    """Let staff in: a FastAPI dependency that raises Unauthorised without a token, Forbidden for another scope."""
    if bearer is None:
        slug = "no-token"
        raise Unauthorised(slug, "This is for staff: send a bearer token.")
    caller = await caller_of(request, bearer.credentials)
    if caller.scope != "staff":
        slug = "wrong-scope"
        raise Forbidden(slug, "This token is not for staff.")
    return caller


async def require_publisher(request: Request, bearer: Bearer) -> Caller:
    """Let an outside system in: raises Unauthorised without a token, Forbidden for one that is no publisher's."""
    if bearer is None:
        slug = "no-token"
        raise Unauthorised(slug, "This is for publishers: send the bearer token that came with yours.")
    try:
        caller = await caller_of(request, bearer.credentials)
    except Unauthorised as error:
        slug = "unknown-token"
        raise Forbidden(slug, error.detail) from None
    if caller.scope != "publisher":
        slug = "wrong-scope"
        raise Forbidden(slug, "This token is not a publisher's.")
    return caller


Staff = Annotated[Caller, Depends(require_staff)]
Publisher = Annotated[Caller, Depends(require_publisher)]


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
