"""Names in addresses, and words to be found by."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.catalogue.domain import fold, is_slug, next_slug, slugify, words_of


@pytest.mark.parametrize(
    ("title", "slug"),
    [
        ("Etapa d'habilitació", "etapa-d-habilitacio"),
        ("Col·laboració i intel·ligència", "collaboracio-i-intelligencia"),
        ("¿Qué será mañana, Łódź?", "que-sera-manana-lodz"),
        ("Ørsted & Cœur", "orsted-coeur"),
        ("日本", "workshop"),
        ("  --  ", "workshop"),
        ("x" * 300, "x" * 80),
    ],
)
def test_a_title_becomes_part_of_an_address(title: str, slug: str) -> None:
    assert slugify(title) == slug


@given(st.text(max_size=200))
def test_every_title_becomes_a_slug_that_fits_the_contract(title: str) -> None:
    slug = slugify(title)
    assert is_slug(slug)
    assert len(slug) <= 80


@given(st.integers(0, 20))
def test_a_name_that_is_taken_gets_the_first_free_number(others: int) -> None:
    taken: list[str] = []
    for _ in range(others + 1):
        slug = next_slug("taller", taken)
        assert slug not in taken
        taken.append(slug)
    assert taken == ["taller", *(f"taller-{number}" for number in range(2, others + 2))]


def test_a_gap_among_the_names_is_used() -> None:
    assert next_slug("taller", {"taller", "taller-3"}) == "taller-2"


@pytest.mark.parametrize("written", ["habilitació", "HABILITACIO", "habilitacio"])
def test_words_are_the_same_however_they_are_accented(written: str) -> None:
    assert fold(written) == "habilitacio"


def test_what_a_workshop_is_found_by_is_one_line_of_folded_words() -> None:
    assert words_of(["Xarxa\n col·lectiva", "Mañana"]) == "xarxa collectiva manana"
