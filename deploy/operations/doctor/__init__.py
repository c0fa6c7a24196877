"""A look at a whole deployment: many checks, each of which says what is wrong and what to do."""

import asyncio
from collections.abc import Awaitable

from deploy.operations.doctor import databases, lag, outside, rights, streams
from deploy.operations.doctor.findings import Finding, Limits, Patient, ill, well

__all__ = ["Finding", "Limits", "Patient", "examine"]
SECONDS = 60.0


async def examine(patient: Patient) -> list[Finding]:
    """Look at everything, all at once; what cannot be looked at is found too."""
    looks: dict[str, Awaitable[list[Finding]]] = {
        "disk": asyncio.to_thread(databases.of_disk, patient),
        **{f"database {service}": databases.of_database(patient, service) for service in patient.databases},
        "kafka": streams.of_kafka(patient),
        "topics": streams.of_topics(patient),
        "rights": rights.of_rights(patient),
        "lag": lag.of_lag(patient),
        "services": outside.of_services(patient),
        "certificate": outside.of_certificate(patient),
        "smtp": outside.of_smtp(patient),
    }
    found = await asyncio.gather(*(_looked(name, look) for name, look in looks.items()))
    return [*_settings(patient), *(each for some in found for each in some)]


def _settings(patient: Patient) -> list[Finding]:
    if not patient.missing:
        return [well("settings", "all", "this command is told all that it needs")]
    do = "tell it to this command as the services are told it; what hangs on it was not looked at"
    return [ill("settings", name, "is missing", do) for name in patient.missing]


async def _looked(name: str, look: Awaitable[list[Finding]]) -> list[Finding]:
    try:
        async with asyncio.timeout(SECONDS):
            return await look
    except Exception as error:  # noqa: BLE001 - whatever it was, the other checks are to be heard
        reason = " ".join(str(error).split()) or type(error).__name__
        return [ill(name, "", f"could not be looked at: {reason}", "see what else is found; else this is a bug")]
