"""The three languages: catalogues read as they are written (.po), and who is spoken to in which."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Self, get_args
from unicodedata import normalize

from babel import Locale
from babel.core import get_global
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_decimal
from babel.support import Translations

from shared.events.base import Language
from shared.web import dates
from shared.web.dates import Zone

LANGUAGES: tuple[Language, ...] = get_args(Language)
"""In the order in which they are offered; the first is spoken to whom we know nothing of."""
DEFAULT: Language = LANGUAGES[0]
NAMES: Mapping[Language, str] = {"ca": "Català", "es": "Castellano", "en": "English"}
Texts = Mapping[Language, str] | Mapping[str, str]
"""One text by language; seldom in all of them."""
LONGEST_PREFERENCES = 500
"""Characters of an Accept-Language header that are looked at."""


def N_(message: str) -> str:  # noqa: N802 - the word by which gettext's tools find it
    """Mark a message for the catalogues where it is only named; `gettext` it where it is said."""
    return message


@dataclass(frozen=True, slots=True)
class Translator:
    """One language, ready to be spoken. Cheap to hold; made by `Catalogues`."""

    language: Language
    _translations: Translations

    def gettext(self, message: str, /, **values: object) -> str:
        """Say `message`; values fill its `%(name)s`. What no catalogue has is said as it stands."""
        said: str = self._translations.gettext(message)
        return said % values if values else said

    def ngettext(self, one: str, many: str, n: int, /, **values: object) -> str:
        """Say the form that `n` calls for; values fill its `%(name)s`."""
        said: str = self._translations.ngettext(one, many, n)
        return said % values if values else said

    _ = gettext

    @property
    def locale(self) -> Locale:
        """The CLDR locale."""
        return dates.locale_of(self.language)

    def localised(self, texts: Texts, own: str | None = None) -> str:
        """Choose among the languages of a text as `localised` does."""
        return localised(texts, self.language, own)

    def day(self, value: date, tz: Zone | None = None) -> str:
        """`13 de març de 2027`; a datetime needs `tz`."""
        return dates.day(self.language, value, tz)

    def weekday(self, value: date, tz: Zone | None = None) -> str:
        """`dissabte, 13 de març de 2027`; a datetime needs `tz`."""
        return dates.weekday(self.language, value, tz)

    def days(self, values: Iterable[date]) -> str:
        """`10 i 11 d'abril de 2027`; ValueError when there are none."""
        return dates.days(self.language, values)

    def time(self, value: datetime, tz: Zone) -> str:
        """`11:00`."""
        return dates.time(self.language, value, tz)

    def time_range(self, start: datetime, end: datetime, tz: Zone) -> str:
        """From when to when, and on whose clock: `11:00-12:00 (hora de Copenhaguen)`, with a dash."""
        return dates.times(self.language, start, end, tz)

    def moment(self, value: datetime, tz: Zone) -> str:
        """`dimecres, 10 de març de 2027 a les 11:00`, as one tells a deadline."""
        return dates.moment(self.language, value, tz)

    def when(self, start: datetime, end: datetime, tz: Zone, reader: Zone | None = None) -> str:
        """`dimecres, 10 de març de 2027, ` and then `time_range`; on the `reader`'s clock too where it differs."""
        return dates.when(self.language, start, end, tz, reader)

    def zone(self, tz: Zone) -> str:
        """`hora de Copenhaguen`."""
        return dates.zone(self.language, tz)

    def month(self, value: date) -> str:
        """`abr.`."""
        return dates.month(self.language, value)

    def listed(self, items: Iterable[str]) -> str:
        """Join as one does in a sentence: `a, b i c`."""
        return dates.listed(self.language, list(items))

    def number(self, value: int) -> str:
        """`39.844`."""
        return format_decimal(value, locale=self.locale)

    def country(self, code: str) -> str:
        """Name a country (ISO 3166-1 alpha-2); one that is not known stays its code."""
        return str(self.locale.territories.get(code, code))

    def countries(self) -> list[tuple[str, str]]:
        """All countries as (code, name), in the order of their names."""
        return _countries(self.language)


class Catalogues:
    """The messages of some folders (`folder/locale/{ca,es,en}.po`), the later ones first where two have the same."""

    def __init__(self, translators: Mapping[Language, Translator]) -> None:
        self._translators = dict(translators)

    @classmethod
    def load(cls, *folders: Path) -> Self:
        """Read the catalogues; a language without a file speaks the messages as they stand in the code."""
        translators = {}
        for language in LANGUAGES:
            merged = Translations()
            for folder in folders:
                path = folder / "locale" / f"{language}.po"
                if path.exists():
                    merged.merge(_read(path, language))
            translators[language] = Translator(language, merged)
        return cls(translators)

    def translator(self, language: Language) -> Translator:
        """Give the voice of `language`."""
        return self._translators[language]


def choose_language(query: str | None, cookie: str | None, accept_language: str | None) -> Language:
    """Choose by what was asked for now (`?lang=`), else before (the cookie), else what the browser prefers."""
    for asked in (query, cookie):
        if (known := _known(asked or "")) is not None:
            return known
    return _preferred(accept_language or "") or DEFAULT


def localised(texts: Texts, language: Language, own: str | None = None) -> str:
    """Choose the text in `language`, else in its author's `own`, else in ca, es, en; empty when there is none."""
    found = language_of(texts, language, own)
    return next((text for one, text in texts.items() if one == found), "")


def language_of(texts: Texts, language: Language, own: str | None = None) -> Language | None:
    """Tell which language `localised` answers in."""
    there = {one for one, text in texts.items() if text}
    wanted = (language, *(one for one in LANGUAGES if one == own), *LANGUAGES)
    return next((one for one in wanted if one in there), None)


def _known(tag: str) -> Language | None:
    primary = tag.strip().lower().partition("-")[0]
    return next((language for language in LANGUAGES if language == primary), None)


def _preferred(header: str) -> Language | None:
    """Read an Accept-Language header (RFC 9110, section 12.5.4); of two that weigh the same the first wins."""
    best: tuple[float, Language | None] = (0.0, None)
    for part in header[:LONGEST_PREFERENCES].split(","):
        tag, _, parameter = part.partition(";")
        language = DEFAULT if tag.strip() == "*" else _known(tag)
        weight = _weight(parameter)
        if language is not None and weight > best[0]:
            best = (weight, language)
    return best[1]


def _weight(parameter: str) -> float:
    name, _, value = parameter.strip().partition("=")
    if not name:
        return 1.0
    try:
        return float(value) if name.strip().lower() == "q" and len(value) <= len("0.000") else 0.0
    except ValueError:
        return 0.0


@cache
def _read(path: Path, language: Language) -> Translations:
    with path.open("rb") as file:
        catalogue = read_po(file, locale=language)
    compiled = BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return Translations(compiled)


@cache
def _countries(language: Language) -> list[tuple[str, str]]:
    names = dates.locale_of(language).territories
    nowhere = "ZZ"
    codes = {code for code in get_global("zone_territories").values() if code != nowhere and code in names}
    return sorted(((code, str(names[code])) for code in codes), key=lambda country: _sortable(country[1]))


def _sortable(name: str) -> bytes:
    return normalize("NFKD", name).encode("ascii", "ignore").lower()
