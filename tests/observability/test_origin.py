"""What a traceparent is, and what comes from where."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.observability import NOWHERE, Origin, apart, origin, stemming, valid_traceparent

ONE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.mark.parametrize(
    ("given", "read"),
    [
        (ONE, ONE),
        ("01" + ONE[2:], ONE),
        ("01" + ONE[2:] + "-more", ONE),
        (ONE + "-more", None),
        (ONE + "0", None),
        ("01" + ONE[2:] + "0", None),
        ("ff" + ONE[2:], None),
        (ONE.upper(), None),
        (f"00-{'0' * 32}-b7ad6b7169203331-01", None),
        (f"00-0af7651916cd43dd8448eb211c80319c-{'0' * 16}-01", None),
        ("", None),
        (None, None),
    ],
)
def test_a_traceparent_is_read_as_the_recommendation_says(given: str | None, read: str | None) -> None:
    assert valid_traceparent(given) == read


@given(st.text())
def test_no_text_makes_reading_a_traceparent_fail(text: str) -> None:
    assert valid_traceparent(text) in {None, text}


def test_the_id_of_the_trace_is_read_from_it() -> None:
    assert Origin(None, ONE).trace_id == "0af7651916cd43dd8448eb211c80319c"
    assert NOWHERE.trace_id is None


async def test_what_many_share_comes_from_none_of_them() -> None:
    async def source() -> Origin:
        return origin()

    with stemming(Origin("c", ONE)):
        assert await asyncio.create_task(source()) == Origin("c", ONE)
        assert await asyncio.create_task(source(), context=apart()) == NOWHERE
    assert origin() == NOWHERE
