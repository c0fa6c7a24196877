"""How long things are kept so that nothing is lost and nothing had twice: pruning and replays go by the same words.

What a replay may send again, its publisher keeps; what may come again, its consumer still knows. The README has the
reasoning, `tests/transport/test_pruning.py` the property.
"""

from datetime import timedelta

from shared.events.topics import OWN

LONGEST_RETENTION = timedelta(days=max(topic.retention_days or 0 for topics in OWN.values() for topic in topics))
"""How long a broker keeps a record of ours that is not the newest of its key on a compacted stream."""

SLACK = timedelta(days=14)
"""What a broker keeps beyond that: it drops whole segments, which are a week long, and looks only now and then."""

SETTLED = timedelta(days=14)
"""How long a dead letter that staff have settled is kept, and word of a replay: as long as a dead letter's record."""

_IS_STATE = """({0}.payload IS NULL OR position(CAST('"ce_sequence"' AS bytea) IN {0}.headers) > 0)"""
_IS_ERASED = """
    EXISTS (SELECT 1 FROM outbox e WHERE e.payload IS NULL AND e.topic = o.topic AND e.key = o.key AND e.id > o.id)
"""


def inbox_horizon(replay_horizon: timedelta) -> timedelta:
    """Tell how long a consumer remembers an event.

    It may be sent again until `replay_horizon` has passed, and lies on its stream for the longest retention after that.
    """
    return replay_horizon + LONGEST_RETENTION + SLACK


def is_kept(oldest: str) -> str:
    """Give the condition under which a published row `o` of the outbox is kept, and may be sent again.

    It is no older than the parameter `oldest`, or is the newest that was said of an aggregate; an erasure lets nothing
    stand that was said before it. Dead letters are never sent again.
    """
    return f"""(
        o.topic NOT LIKE 'dead-letters.%' AND NOT {_IS_ERASED}
        AND (o.created_at >= {oldest} OR (o.key IS NOT NULL AND {_IS_STATE.format("o")} AND NOT EXISTS (
            SELECT 1 FROM outbox n
            WHERE n.published_at IS NOT NULL AND n.topic = o.topic AND n.key = o.key AND n.id > o.id
              AND {_IS_STATE.format("n")})))
    )"""  # noqa: S608 - constants of ours


IS_FROM_OUTSIDE = "(source LIKE '/publishers/%' OR source LIKE 'kafka:inbound.%')"
"""The condition under which a row of the inbox is of no event of ours, so that nobody of ours sends it again."""
