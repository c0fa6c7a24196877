"""What waits in a service's database, and for whom: for the broker, for an event still to come, for staff, for SMTP."""

from datetime import timedelta

from deploy.operations.doctor.findings import Finding, Patient, ill, lasting, well
from deploy.operations.snapshots import Connection

MOST_NAMED = 5
DAY = timedelta(days=1)

_OUTBOX = """
    SELECT count(*) AS messages, min(created_at) AS since FROM outbox WHERE published_at IS NULL AND refused IS NULL
      AND NOT EXISTS (SELECT 1 FROM outbox r WHERE r.refused IS NOT NULL AND r.published_at IS NULL
                      AND r.topic = outbox.topic AND r.key = outbox.key AND r.id < outbox.id)
"""
_REFUSED = """
    SELECT id, topic, refused, count(*) OVER () AS messages FROM outbox
    WHERE refused IS NOT NULL AND published_at IS NULL ORDER BY id LIMIT $1
"""
_DEAD_LETTERS = """
    SELECT reason, count(*) AS letters, min(at) AS since FROM dead_letters
    WHERE state = 'open' GROUP BY 1 ORDER BY 2 DESC
"""
_PARKED = "SELECT consumer, reason, count(*) AS events, min(parked_at) AS since FROM parked GROUP BY 1, 2 ORDER BY 4"
_OWED = "SELECT count(*) AS notices, min(due_at) AS since FROM notices WHERE state = 'owed' AND due_at < $1"
_ENDED = """
    SELECT state, coalesce(reason, '-') AS reason, count(*) AS notices FROM notices
    WHERE created_at > $1 AND state IN ('sent', 'failed', 'uncertain') GROUP BY 1, 2 ORDER BY 3 DESC
"""


async def of_bus(patient: Patient, service: str, database: Connection) -> list[Finding]:
    """Look at what waits in the tables that every service has."""
    return [
        await _outbox(patient, service, database),
        await _refused(service, database),
        await _dead_letters(patient, service, database),
        await _parked(patient, service, database),
    ]


async def of_notices(patient: Patient, database: Connection) -> list[Finding]:
    """Look at the notices that are owed, and at those that did not get through."""
    return [await _overdue(patient, database), await _failing(patient, database)]


async def _outbox(patient: Patient, service: str, database: Connection) -> Finding:
    row = await database.fetchrow(_OUTBOX)
    messages, since = (row["messages"], row["since"]) if row else (0, None)
    if since is None:
        return well("outbox", service, "everything is sent")
    waits = patient.clock() - since
    says = f"{messages} messages wait to be sent, the oldest for {lasting(waits)}"
    if waits > patient.limits.waits_to_be_sent:
        do = (
            f"see that {service} runs and Kafka answers; after a replay of much it takes a while;"
            " where a topic is missing, `convoca migrate`"
        )
        return ill("outbox", service, says, do)
    return well("outbox", service, says)


async def _refused(service: str, database: Connection) -> Finding:
    rows = await database.fetch(_REFUSED, MOST_NAMED)
    if not rows:
        return well("refused", service, "the broker has refused nothing")
    each = "; ".join(f"{row['id']} for {row['topic']}: {row['refused']}" for row in rows)
    says = f"the broker refused {rows[0]['messages']} messages, and what is behind them of their keys waits ({each})"
    do = (
        f"mend the cause and `convoca outbox retry {rows[0]['id']} --service {service}`, or give the message up with"
        f" `convoca outbox discard {rows[0]['id']} --service {service}`;"
        f" `convoca outbox list --service {service} --all` has all"
    )
    return ill("refused", service, says, do)


async def _dead_letters(patient: Patient, service: str, database: Connection) -> Finding:
    rows = await database.fetch(_DEAD_LETTERS)
    if not rows:
        return well("dead-letters", service, "none is open")
    reasons = ", ".join(f"{row['letters']} {row['reason']}" for row in rows)
    oldest = lasting(patient.clock() - min(row["since"] for row in rows))
    do = f"`convoca dead-letters list --service {service}`, then retry or discard each"
    return ill("dead-letters", service, f"open: {reasons}; the oldest is {oldest} old", do)


async def _parked(patient: Patient, service: str, database: Connection) -> Finding:
    rows = await database.fetch(_PARKED)
    if not rows:
        return well("waiting-place", service, "no event waits for another")
    waits = patient.clock() - rows[0]["since"]
    events = sum(row["events"] for row in rows)
    says = (
        f"{events} events wait for others, the oldest for {lasting(waits)} ({rows[0]['consumer']}: {rows[0]['reason']})"
    )
    if waits > patient.limits.parked:
        do = (
            f"see that {service} runs, and that what they wait for is sent; where it was lost, have it said again"
            " (`lost broker` in deploy/RUNBOOK.md); else they become dead letters"
        )
        return ill("waiting-place", service, says, do)
    return well("waiting-place", service, says)


async def _overdue(patient: Patient, database: Connection) -> Finding:
    row = await database.fetchrow(_OWED, patient.clock() - patient.limits.overdue)
    if row is None or not row["notices"]:
        return well("notices-owed", "notifications", "none is overdue")
    says = f"{row['notices']} are overdue, the oldest by {lasting(patient.clock() - row['since'])}"
    return ill("notices-owed", "notifications", says, "see that notifications runs, and what is found of smtp")


async def _failing(patient: Patient, database: Connection) -> Finding:
    rows = await database.fetch(_ENDED, patient.clock() - DAY)
    ended = sum(row["notices"] for row in rows)
    lost = [row for row in rows if row["state"] != "sent"]
    count = sum(row["notices"] for row in lost)
    says = f"of {ended} that ended within a day, {count} failed or are uncertain"
    if count > max(patient.limits.a_few, patient.limits.failing * ended):
        reasons = ", ".join(f"{row['notices']} {row['state']} {row['reason']}" for row in lost[:MOST_NAMED])
        do = "look at the reasons, and at GET /api/notifications/notices?state=failed; smtp-5xx is the mail server's no"
        return ill("notices-failing", "notifications", f"{says} ({reasons})", do)
    return well("notices-failing", "notifications", says)
