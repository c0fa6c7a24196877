"""Whatever is handed in: it is refused and nothing is kept, or it is kept and has its effect once."""

import json
from urllib.parse import quote

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.transport.http.conftest import OWN, Door

ODD = st.sampled_from(
    [
        *(b"", b" ", b"\x00", b"\xff\xfe", b"%", b"%00", b"%0d%0aX: 1", b"%ff", b"%F0%9F%98%80", b'"', b'"\\"', b'"\\'),
        *(b"a/b", b"../..", b"%2e%2e%2f", b"x" * 500, b"x" * 501, b"%E2%82%AC" * 500, b"9" * 400, b"-0", b"1.0"),
        *(b"2041-01-01T00:00:00Z", b"0001-01-01t00:00:00+23:59", b"9999-12-31T23:59:60Z", b"2041", b"P1D"),
        *(OWN.encode(), b"/publishers/other", b"organisation.registered", b"person.registered", b"application/json"),
    ]
)
NAMES = ("id", "source", "type", "specversion", "time", "subject", "sequence", "correlationid", "traceparent", "")
VALUES = ODD | st.binary(max_size=30) | st.text(max_size=20).map(lambda text: quote(text).encode())
ATTRIBUTES = st.dictionaries(st.sampled_from(NAMES), VALUES | st.none(), max_size=4)
"""What is sent in place of what is right; None: nothing at all."""
CONTENT_TYPES = st.sampled_from(
    [
        *(b"application/json", b"application/json;charset=utf-16", b"", b";", b"\xff", b"text/plain"),
        *(b"application/cloudevents+json", b"application/cloudevents-batch+json", b"APPLICATION/CLOUDEVENTS+JSON"),
    ]
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3))
CHEAPLY = settings(
    max_examples=50,
    deadline=None,  # a loaded machine is slow
    suppress_health_check=[HealthCheck.function_scoped_fixture],  # one door for all: what one left is another's trial
)


@CHEAPLY
@given(changes=ATTRIBUTES, content_type=st.just(b"application/json") | CONTENT_TYPES, body=st.none() | st.binary())
async def test_nonsense_in_binary_mode(
    door: Door, changes: dict[str, bytes | None], content_type: bytes, body: bytes | None
) -> None:
    said = door.said("Vic")
    headers = {name.replace("_", "-").encode(): value or b"" for name, value in said.headers}
    for name, value in changes.items():
        if value is None:
            headers.pop(f"ce-{name}".encode(), None)
        else:
            headers[f"ce-{name}".encode()] = value
    headers[b"content-type"] = content_type
    headers[b"authorization"] = f"Bearer {door.token}".encode()
    content = said.value if body is None else body
    await _is_taken_wholly_or_not_at_all(door, list(headers.items()), content or b"")


@CHEAPLY
@given(changes=st.dictionaries(st.sampled_from([*NAMES, "data", "data_base64", "datacontenttype"]), JSON, max_size=3))
async def test_nonsense_in_structured_mode(door: Door, changes: dict[str, object]) -> None:
    content = json.dumps(door.whole("Vic", **changes)).encode()
    headers = {b"content-type": b"application/cloudevents+json", b"authorization": f"Bearer {door.token}".encode()}
    await _is_taken_wholly_or_not_at_all(door, list(headers.items()), content)


async def _is_taken_wholly_or_not_at_all(door: Door, headers: list[tuple[bytes, bytes]], content: bytes) -> None:
    before = await _kept(door)
    answer = await door.client.post("/events", content=content, headers=headers)
    if answer.status_code == 202:
        told = answer.json()
        assert told["state"] in {"accepted", "done"}
        await door.rig.consumer.tend()
        new = 1 if told["state"] == "accepted" else 0
        assert await _kept(door) == (before[0] + new, before[1] + new)
        assert await door.state(told["id"]) == ("done", None)
    else:
        assert answer.status_code in {400, 403, 415}
        assert answer.headers["content-type"] == "application/problem+json"
        assert await _kept(door) == before


async def _kept(door: Door) -> tuple[int, int]:
    """Count what was admitted, and the effects that were had."""
    query = "SELECT (SELECT count(*) FROM inbox) AS admitted, (SELECT count(*) FROM effects) AS had"
    [row] = await door.rig.rows(query)
    return row.admitted, row.had
