"""How much is owed, for who watches the service."""

from prometheus_client import Gauge
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

OWED = Gauge("convoca_notices_owed", "Notices that are due and not sent yet")
OWED_SECONDS = Gauge("convoca_notices_oldest_due_seconds", "How long ago the notice was due that is due the longest")
_DUE = text(
    """
    SELECT count(*) AS owed, greatest(extract(epoch FROM now() - min(due_at)), 0) AS seconds
    FROM (SELECT due_at FROM notices WHERE state = 'owed' AND claim IS NULL AND due_at <= now()
          ORDER BY due_at LIMIT 10000) AS due
    """
)
GAUGES = (OWED, OWED_SECONDS)


async def read(connection: AsyncConnection) -> None:
    """Set the gauges to what the database holds."""
    due = (await connection.execute(_DUE)).one()
    OWED.set(due.owed)
    OWED_SECONDS.set(float(due.seconds))
