"""Dates, times and places on the clock, as a person writes them in Catalan, Spanish and English."""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import cache, lru_cache
from itertools import groupby, pairwise
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date, format_skeleton, get_timezone_location
from babel.lists import format_list

from shared.events.base import Language

SHORTEST_RUN = 3
"""From so many consecutive days on, one says the first and the last."""

_LOCALES: dict[Language, Locale] = {
    "ca": Locale("ca"),
    "es": Locale("es"),
    "en": Locale("en", "GB"),
}
_WITH_YEAR: dict[Language, str] = {"ca": "{} de {}", "es": "{} de {}", "en": "{} {}"}
_ZONE: dict[Language, str] = {"ca": "hora de {}", "es": "hora de {}", "en": "{} time"}
_AT: dict[Language, tuple[str, str]] = {
    "ca": ("{} a la {}", "{} a les {}"),
    "es": ("{} a la {}", "{} a las {}"),
    "en": ("{} at {}", "{} at {}"),
}
_USUAL_NAMES: dict[str, dict[Language, str]] = {
    "Europe/Madrid": {"ca": "hora peninsular", "es": "hora peninsular", "en": "Madrid time"},
    "Atlantic/Canary": {"ca": "hora de Canàries", "es": "hora de Canarias", "en": "Canary Islands time"},
}
"""Zones that nobody calls by the name of their city."""

_SAID_WITH_A_VOWEL = {1, 11}
"""Days whose number elides the article before it in Catalan: `l'1`, `l'11`."""

Zone = ZoneInfo | str
_DASH = "\N{EN DASH}"


def locale_of(language: Language) -> Locale:
    """Give the CLDR locale whose customs `language` follows here; English is the European kind."""
    return _LOCALES[language]


def day(language: Language, value: date, tz: Zone | None = None) -> str:
    """Write a day with its year; a datetime needs the zone in which it falls on that day (else ValueError)."""
    on = _date(value, tz)
    return _WITH_YEAR[language].format(_day_and_month(language, on), on.year)


def weekday(language: Language, value: date, tz: Zone | None = None) -> str:
    """Write a day as `day` does, with the day of the week before it."""
    return f"{format_date(_date(value, tz), 'EEEE', _LOCALES[language])}, {day(language, value, tz)}"


def days(language: Language, dates: Iterable[date]) -> str:
    """Write several days as one phrase: what they share (month, year) is said once. ValueError when there are none."""
    ordered = sorted({_date(one, None) for one in dates})
    if not ordered:
        message = "there are no days to write"
        raise ValueError(message)
    return _days(language, tuple(ordered))


@lru_cache(maxsize=1024)  # as of `when`
def _days(language: Language, ordered: tuple[date, ...]) -> str:
    first, last = ordered[0], ordered[-1]
    if len(ordered) >= SHORTEST_RUN and all(b - a == timedelta(days=1) for a, b in pairwise(ordered)):
        return _run(language, first, last)
    if first.year == last.year:
        return _WITH_YEAR[language].format(listed(language, _months(language, ordered)), last.year)
    years = [list(members) for _, members in groupby(ordered, key=lambda one: one.year)]
    return listed(
        language,
        [_WITH_YEAR[language].format(month, year[0].year) for year in years for month in _months(language, year)],
    )


def month(language: Language, value: date) -> str:
    """Write the name of the month in short, by itself."""
    return str(format_date(value, "LLL", _LOCALES[language]))


def listed(language: Language, items: Sequence[str]) -> str:
    """Join as one does in a sentence: `a, b i c`."""
    return format_list(items, locale=_LOCALES[language])


def time(language: Language, value: datetime, tz: Zone) -> str:
    """Write the time of day, on 24 hours."""
    return str(format_skeleton("Hm", value.astimezone(_zone(tz)), locale=_LOCALES[language]))


def times(language: Language, start: datetime, end: datetime, tz: Zone) -> str:
    """Write from when to when on the clock, and on whose clock."""
    return f"{_between(language, start, end, tz)} ({zone(language, tz)})"


def moment(language: Language, value: datetime, tz: Zone) -> str:
    """Write one point in time, such as a deadline: day and time of day."""
    local = value.astimezone(_zone(tz))
    return _AT[language][local.hour != 1].format(weekday(language, local.date()), time(language, value, tz))


def when(language: Language, start: datetime, end: datetime, tz: Zone, reader: Zone | None = None) -> str:
    """Write when a session is, whole; to a `reader` whose clock differs then, on that clock too."""
    # In UTC, where moments that are equal are the same: on the clock of a zone an hour may come twice.
    return _when_for(language, start.astimezone(UTC), end.astimezone(UTC), tz, reader)


@lru_cache(maxsize=1024)  # many mails tell of the same session
def _when_for(language: Language, start: datetime, end: datetime, tz: Zone, reader: Zone | None) -> str:
    said = _when(language, start, end, tz)
    if reader is None or start.astimezone(_zone(reader)).utcoffset() == start.astimezone(_zone(tz)).utcoffset():
        return said
    same_day = _date(start, tz) == _date(start, reader) == _date(end, reader)
    theirs = times(language, start, end, reader) if same_day else _when(language, start, end, reader)
    return f"{said} · {theirs}"


@cache
def zone(language: Language, tz: Zone) -> str:
    """Name a time zone plainly, by its city or what people call it."""
    where = _zone(tz)
    if where.key in _USUAL_NAMES:
        return _USUAL_NAMES[where.key][language]
    if "/" not in where.key:
        return where.key
    if where.key.startswith("Etc/"):  # the signs in these names are the opposite of what people mean by them
        return f"{datetime(2000, 1, 1, tzinfo=where):UTC%z}".removesuffix("+0000")
    city = get_timezone_location(where, locale=_LOCALES[language], return_city=True).rpartition("/")[2]
    said = _ZONE[language].format(city)
    return _elided(said) if language == "ca" else said


def _zone(tz: Zone) -> ZoneInfo:
    return ZoneInfo(tz) if isinstance(tz, str) else tz


def _date(value: date, tz: Zone | None) -> date:
    if not isinstance(value, datetime):
        return value
    if tz is None or value.tzinfo is None:
        message = "a moment falls on a day only in a time zone"
        raise ValueError(message)
    return value.astimezone(_zone(tz)).date()


def _day_and_month(language: Language, on: date) -> str:
    # CLDR elides with a typographic apostrophe; the plain one is what people type and search for.
    return str(format_skeleton("MMMMd", on, locale=_LOCALES[language])).replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")


def _months(language: Language, ordered: Sequence[date]) -> list[str]:
    """Write days of one year, a phrase for each month; in our languages the number of the day comes first."""
    months = [list(members) for _, members in groupby(ordered, key=lambda one: one.month)]
    return [
        listed(language, [*(str(one.day) for one in month[:-1]), _day_and_month(language, month[-1])])
        for month in months
    ]


def _run(language: Language, first: date, last: date) -> str:
    """Write days without a gap by the first and the last, the first without what it shares with the last."""
    if first.year != last.year:
        start = day(language, first)
    elif first.month != last.month:
        start = _day_and_month(language, first)
    else:
        start = str(first.day)
    end = day(language, last)
    match language:
        case "ca":
            of = "de l'" if first.day in _SAID_WITH_A_VOWEL else "del "
            to = "a l'" if last.day in _SAID_WITH_A_VOWEL else "al "
            return f"{of}{start} {to}{end}"
        case "es":
            return f"del {start} al {end}"
        case "en":
            return f"{start} to {end}"


def _between(language: Language, start: datetime, end: datetime, tz: Zone) -> str:
    return f"{time(language, start, tz)}{_DASH}{time(language, end, tz)}"


def _when(language: Language, start: datetime, end: datetime, tz: Zone) -> str:
    if _date(start, tz) == _date(end, tz):
        return f"{weekday(language, start, tz)}, {times(language, start, end, tz)}"
    from_, to = (f"{weekday(language, at, tz)}, {time(language, at, tz)}" for at in (start, end))
    return f"{from_} {_DASH} {to} ({zone(language, tz)})"


def _elided(said: str) -> str:
    """Catalan: `de` before a vowel, also behind a mute h, is `d'`."""
    before, _, name = said.partition(" de ")
    return f"{before} d'{name}" if name.lstrip("Hh")[:1].lower() in "aeiouàèéíòóú" else said
