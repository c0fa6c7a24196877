"""What people meet: the services behind their front door, its certificate, and the server that takes the mails."""

import asyncio
import contextlib
import ssl
from datetime import UTC, datetime
from http.client import HTTPException
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import HTTPSHandler, ProxyHandler, build_opener

from aiosmtplib import SMTPException
from pydantic import ValidationError

from deploy.operations.doctor.findings import Finding, Patient, ill, lasting, well
from services.notifications.clients import client_of
from shared.health import Health

SECONDS_TO_ANSWER = 10.0
HTTPS = 443


async def of_services(patient: Patient) -> list[Finding]:
    """Ask each service whether it is ready."""
    asked = (asyncio.to_thread(_service, service, url, patient.tls) for service, url in patient.ready.items())
    return list(await asyncio.gather(*asked))


async def of_certificate(patient: Patient) -> list[Finding]:
    """Look at the certificate of the public address, where it has one."""
    address = urlsplit(patient.public_url or "")
    if address.scheme != "https" or address.hostname is None:
        return []
    port, renew = address.port or HTTPS, "see `expired certificate` in deploy/RUNBOOK.md"
    try:
        async with asyncio.timeout(SECONDS_TO_ANSWER):
            ends = await _ends(address.hostname, port, patient.tls or ssl.create_default_context())
    except ssl.SSLCertVerificationError as error:
        return [ill("certificate", address.netloc, f"is not believed: {error.verify_message}", renew)]
    except (OSError, TimeoutError) as error:
        says = f"does not answer: {' '.join(str(error).split()) or type(error).__name__}"
        return [ill("certificate", address.netloc, says, "see that the front door runs and the name leads to it")]
    left = ends - patient.clock()
    says = f"ends at {ends.isoformat(timespec='minutes')}, in {lasting(left)}"
    if left < patient.limits.certificate:
        return [ill("certificate", address.netloc, says, renew)]
    return [well("certificate", address.netloc, says)]


async def of_smtp(patient: Patient) -> list[Finding]:
    """Greet the mail server as notifications does, log in, and leave; no mail is sent."""
    server = patient.smtp
    if server is None:
        return []
    about = f"{server.host}:{server.port}"
    client = client_of(server, patient.tls, SECONDS_TO_ANSWER)
    try:
        await asyncio.wait_for(client.connect(), SECONDS_TO_ANSWER)
        await client.ehlo()
    except (SMTPException, OSError, TimeoutError, ssl.SSLError) as error:
        client.close()
        says = f"does not take us in by {server.scheme}: {' '.join(str(error).split()) or type(error).__name__}"
        return [ill("smtp", about, says, "mend the server, or CONVOCA_SMTP_URL; owed mails wait for up to three days")]
    with contextlib.suppress(SMTPException, OSError, TimeoutError):
        await client.quit()
    return [well("smtp", about, f"takes us in by {server.scheme}")]


def _service(service: str, url: str, tls: ssl.SSLContext | None) -> Finding:
    straight = build_opener(ProxyHandler({}), HTTPSHandler(context=tls))
    try:
        with straight.open(url, timeout=SECONDS_TO_ANSWER):
            return well("service", service, "is ready")
    except HTTPError as answer:
        down = _down(answer)
        says = f"answers {answer.code} at {url}{f': not ready, {down} down' if down else ''}"
        return ill("service", service, says, f"see what is found of that; else the log of {service} says why")
    except (OSError, HTTPException) as error:
        says = f"does not answer at {url}: {' '.join(str(error).split()) or type(error).__name__}"
        return ill("service", service, says, f"start {service} and the front door; their logs say more")


def _down(answer: HTTPError) -> str:
    with contextlib.suppress(OSError, HTTPException, ValidationError), answer:
        return ", ".join(Health.model_validate_json(answer.read()).down)
    return ""


async def _ends(host: str, port: int, tls: ssl.SSLContext) -> datetime:
    _, writer = await asyncio.open_connection(host, port, ssl=tls, server_hostname=host)
    try:
        certificate = writer.get_extra_info("peercert")
    finally:
        writer.close()
        with contextlib.suppress(OSError, ssl.SSLError):
            await writer.wait_closed()
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(certificate["notAfter"]), UTC)
