"""Lists read piece by piece."""

from base64 import urlsafe_b64encode
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import Invalid
from shared.web.pagination import Instant, Number, Page, Paged, Paging, decode_cursor, encode_cursor
from tests.web.conftest import Visit


@given(st.datetimes(timezones=st.just(UTC)), st.uuids(), st.text(), st.none() | st.integers(-(2**63), 2**63))
def test_a_position_comes_back_from_its_cursor(at: datetime, key: UUID, title: str, rank: int | None) -> None:
    cursor = encode_cursor((at, key, title, rank))
    assert cursor.replace("-", "").replace("_", "").isalnum()
    assert decode_cursor(cursor, tuple[datetime, UUID, str, int | None]) == (at, key, title, rank)


@given(st.text() | st.binary().map(lambda raw: urlsafe_b64encode(raw).decode()))
def test_a_cursor_that_is_not_ours_is_refused_and_breaks_nothing(cursor: str) -> None:
    with pytest.raises(Invalid) as refusal:
        decode_cursor(cursor, tuple[datetime, UUID, str, int | None])
    assert [name for name, _ in refusal.value.fields] == ["cursor"]


def test_a_cursor_of_another_list_is_refused() -> None:
    with pytest.raises(Invalid):
        decode_cursor(encode_cursor(("a", "b")), tuple[datetime, UUID])


@pytest.mark.parametrize(
    "forged",
    [
        (datetime.min.replace(tzinfo=timezone(timedelta(hours=14))), 1),
        (datetime.max.replace(tzinfo=timezone(-timedelta(hours=14))), 1),
        ("2027-04-10T09:00:00", 1),
        (datetime(2027, 4, 10, tzinfo=UTC), 2**63),
        (datetime(2027, 4, 10, tzinfo=UTC), -1),
    ],
)
def test_a_cursor_that_no_database_could_look_for_is_refused(forged: tuple[object, ...]) -> None:
    with pytest.raises(Invalid):
        decode_cursor(encode_cursor(forged), tuple[Instant, Number])


async def test_a_list_is_read_to_its_end_without_gap_or_repetition(app: FastAPI, visit: Visit) -> None:
    everything = list(range(10))

    @app.get("/api/catalogue/numbers")
    async def numbers(paging: Paged) -> Page[int]:
        after = paging.after(tuple[int])
        found = [one for one in everything if after is None or one > after[0]][: paging.rows]
        shown, cursor = paging.cut(found, lambda one: (one,))
        return Page(items=list(shown), next=cursor)

    seen: list[int] = []
    pieces, cursor = 0, None
    async with visit(app) as client:
        while cursor is not None or not pieces:
            piece = (
                await client.get("/api/catalogue/numbers", params={"limit": 5} | ({"cursor": cursor} if cursor else {}))
            ).json()
            assert set(piece) == {"items", "next"}
            seen += piece["items"]
            cursor = piece["next"]
            pieces += 1
    assert (seen, pieces) == (everything, 2)


@pytest.mark.parametrize(
    ("query", "status"),
    [("", 200), ("?limit=1000", 200), ("?limit=1001", 422), ("?limit=0", 422), ("?limit=x", 422), ("?cursor=x", 422)],
)
async def test_limits_and_cursors_are_checked(app: FastAPI, visit: Visit, query: str, status: int) -> None:
    @app.get("/api/catalogue/numbers")
    async def numbers(paging: Paged) -> Page[int]:
        paging.after(tuple[int])
        return Page(items=[paging.limit])

    async with visit(app) as client:
        answer = await client.get(f"/api/catalogue/numbers{query}")
    assert answer.status_code == status
    if not query:
        assert answer.json() == {"items": [100], "next": None}


def test_a_piece_that_is_just_full_is_the_last() -> None:
    assert Paging(limit=2).cut([1, 2], lambda one: (one,)) == ([1, 2], None)
    shown, cursor = Paging(limit=2).cut([1, 2, 3], lambda one: (one,))
    assert (shown, cursor) == ([1, 2], encode_cursor((2,)))
