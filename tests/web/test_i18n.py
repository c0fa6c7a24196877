"""Who is spoken to in which language, and where the words come from."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.events.base import Language
from shared.web.i18n import LANGUAGES, Catalogues, choose_language, localised
from shared.web.words import WORDS, choices, word

HEADER = """msgid ""
msgstr ""
"Content-Type: text/plain; charset=utf-8\\n"
"Plural-Forms: nplurals=2; plural=(n != 1);\\n"
"""


def catalogue(folder: Path, language: str, text: str) -> Path:
    (folder / "locale").mkdir(parents=True, exist_ok=True)
    (folder / "locale" / f"{language}.po").write_text(f"{HEADER}\n{text}\n", encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("query", "cookie", "header", "chosen"),
    [
        ("es", "en", "ca", "es"),
        (None, "en", "ca", "en"),
        ("fr", None, "en", "en"),
        (None, "nonsense", None, "ca"),
        (None, None, None, "ca"),
        (None, None, "", "ca"),
        (None, None, "es-ES,es;q=0.9,en;q=0.8", "es"),
        (None, None, "en;q=0.4, ca-valencia;q=0.7, fr", "ca"),
        (None, None, "fr;q=1, en;q=0.2", "en"),
        (None, None, "en, es", "en"),
        (None, None, "en;q=0, es;q=0.1", "es"),
        (None, None, "en;q=high, es;q=0.1", "es"),
        (None, None, "*;q=0.5, en;q=0.3", "ca"),
        (None, None, "de, it", "ca"),
        (None, None, "en ; q=0.5 , ES ; q=0.6", "es"),
    ],
)
def test_the_language_is_what_was_asked_for_else_remembered_else_preferred(
    query: str | None, cookie: str | None, header: str | None, chosen: Language
) -> None:
    assert choose_language(query, cookie, header) == chosen


@given(st.none() | st.text(), st.none() | st.text(), st.none() | st.text())
def test_whatever_a_browser_sends_it_is_spoken_to(query: str | None, cookie: str | None, header: str | None) -> None:
    assert choose_language(query, cookie, header) in LANGUAGES


@pytest.mark.parametrize(
    ("texts", "language", "own", "chosen"),
    [
        ({"ca": "taller", "en": "workshop"}, "en", "ca", "workshop"),
        ({"ca": "taller", "en": "workshop"}, "es", "en", "workshop"),
        ({"ca": "taller", "en": "workshop"}, "es", None, "taller"),
        ({"en": "workshop", "es": "curso"}, "ca", None, "curso"),
        ({"ca": "", "en": "workshop"}, "ca", "ca", "workshop"),
        ({}, "ca", "ca", ""),
    ],
)
def test_a_text_is_told_in_the_best_language_that_it_has(
    texts: Mapping[str, str], language: Language, own: str | None, chosen: str
) -> None:
    assert localised(texts, language, own) == chosen


def test_a_service_speaks_its_own_words_and_those_of_all(tmp_path: Path) -> None:
    common = catalogue(tmp_path / "common", "ca", 'msgid "Show"\nmsgstr "Mostra"\n\nmsgid "Seat"\nmsgstr "Seient"\n')
    own = catalogue(tmp_path / "own", "ca", 'msgid "Seat"\nmsgstr "Plaça"\n')
    t = Catalogues.load(common, own).translator("ca")
    assert (t.gettext("Show"), t.gettext("Seat")) == ("Mostra", "Plaça")


def test_what_is_not_translated_or_only_guessed_is_said_as_it_stands(tmp_path: Path) -> None:
    folder = catalogue(tmp_path, "ca", '#, fuzzy\nmsgid "Seat"\nmsgstr "Cadira"\n\nmsgid "Show"\nmsgstr ""\n')
    t = Catalogues.load(folder).translator("ca")
    assert (t.gettext("Seat"), t.gettext("Show"), t.gettext("Else")) == ("Seat", "Show", "Else")


def test_a_language_without_a_catalogue_speaks_as_the_code_does(tmp_path: Path) -> None:
    t = Catalogues.load(tmp_path).translator("en")
    assert t.ngettext("%(n)s seat", "%(n)s seats", 1, n=1) == "1 seat"
    assert t.ngettext("%(n)s seat", "%(n)s seats", 2, n=2) == "2 seats"


def test_numbers_choose_their_form_and_values_fill_their_places(tmp_path: Path) -> None:
    plural = 'msgid "%(n)s seat"\nmsgid_plural "%(n)s seats"\nmsgstr[0] "%(n)s plaça"\nmsgstr[1] "%(n)s places"\n'
    t = Catalogues.load(catalogue(tmp_path, "ca", plural)).translator("ca")
    said = [t.ngettext("%(n)s seat", "%(n)s seats", n, n=t.number(n)) for n in (0, 1, 39844)]
    assert said == ["0 places", "1 plaça", "39.844 places"]


def test_countries_are_named_and_sorted_in_the_language() -> None:
    t = Catalogues.load().translator("ca")
    assert (t.country("DK"), t.country("??")) == ("Dinamarca", "??")
    names = [name for _, name in t.countries()]
    assert names.index("Àustria") < names.index("Bèlgica") < names.index("Espanya")
    assert ("ES", "Espanya") in t.countries()


def test_every_code_of_the_contracts_has_words() -> None:
    t = Catalogues.load(Path(__file__).parents[2] / "shared" / "web").translator("ca")
    for family, messages in WORDS.items():
        assert all(words not in messages.values() for _, words in choices(t, family)), family
    assert word(t, "enrolment", "waitlisted") == "En llista d'espera"
    assert word(t, "enrolment", "something-newer") == "something-newer"
