"""Whether a schema only grew: what older code reads and writes is there as it was, and nothing more is asked of it."""

from dataclasses import dataclass, field

import asyncpg

COLUMNS = """
    SELECT c.relname AS table, a.attname AS name, format_type(a.atttypid, a.atttypmod) AS type, a.attnotnull AS needed,
        a.atthasdef OR a.attidentity <> '' AS filled
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v') AND a.attnum > 0
        AND NOT a.attisdropped
"""
# The columns of a rule that is an expression are those that stand in it by themselves.
RULES = """
    SELECT conrelid::regclass::text AS table, pg_get_constraintdef(oid) AS says, contype = 'c' AS checks,
        conkey AS columns
    FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND contype IN ('c', 'f', 'x')
    UNION ALL
    SELECT indrelid::regclass::text, regexp_replace(pg_get_indexdef(indexrelid), 'INDEX \\S+ ', ''), false,
        indkey::int2[]
    FROM pg_index JOIN pg_class c ON c.oid = indrelid WHERE c.relnamespace = 'public'::regnamespace AND indisunique
"""
NAMES = "SELECT attnum, attname FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0"


@dataclass(frozen=True, slots=True)
class Column:
    """What one who writes a row must know of a column."""

    type: str
    needed: bool
    filled: bool

    @property
    def asked_for(self) -> bool:
        """Tell whether who writes a row must say it."""
        return self.needed and not self.filled


@dataclass(frozen=True, slots=True)
class Rule:
    """What the database refuses; `checks` where it looks at each row by itself."""

    table: str
    says: str
    checks: bool
    columns: frozenset[str]


@dataclass(frozen=True, slots=True)
class Schema:
    """Tables as those see them who read and write."""

    columns: dict[tuple[str, str], Column] = field(default_factory=dict)
    rules: frozenset[Rule] = frozenset()


async def schema(connection: "asyncpg.Connection[asyncpg.Record]") -> Schema:
    """Look at a database."""
    columns = {
        (each["table"], each["name"]): Column(each["type"], each["needed"], each["filled"])
        for each in await connection.fetch(COLUMNS)
    }
    rules = set()
    for each in await connection.fetch(RULES):
        names = dict(map(tuple, await connection.fetch(NAMES, each["table"])))
        those = frozenset(str(names[number]) for number in each["columns"] or () if number in names)
        rules.add(Rule(each["table"], each["says"], each["checks"], those))
    return Schema(columns, frozenset(rules))


def narrowed(before: Schema, after: Schema) -> list[str]:
    """Say what code that knows only `before` can no longer do on `after`."""
    found = []
    for (table, name), was in before.columns.items():
        now = after.columns.get((table, name))
        if now is None:
            found.append(f"{table}.{name} is gone")
        elif now.type != was.type:
            found.append(f"{table}.{name} was {was.type} and is {now.type}")
        elif (now.needed and not was.needed) or (now.asked_for and not was.asked_for):
            found.append(f"{table}.{name} must be said now")
    tables = {table for table, _ in before.columns}
    new = {
        place: column for place, column in after.columns.items() if place[0] in tables and place not in before.columns
    }
    found += [f"{table}.{name} is new and must be said" for (table, name), column in new.items() if column.asked_for]
    # What is new is empty where older code writes, and what is empty conflicts with nothing.
    empty = {place for place, column in new.items() if not column.filled}
    for rule in after.rules - before.rules:
        blank = {name for name in rule.columns if (rule.table, name) in empty}
        harmless = blank == rule.columns if rule.checks else blank
        if rule.table in tables and not harmless:
            found.append(f"{rule.table} refuses more: {rule.says}")
    return sorted(found)
