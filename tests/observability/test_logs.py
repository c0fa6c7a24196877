"""What a line of the log has in it, and what it never has."""

import asyncio
import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from shared.observability import Origin, configure_logs, stemming

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
SECRET = "nuria@example.cat"


@pytest.fixture
def written() -> Iterator[io.BytesIO]:
    """Give what is logged as JSON; afterwards logs are as they were."""
    root = logging.getLogger()
    before = structlog.get_config(), root.handlers, root.level
    file = io.BytesIO()
    configure_logs("json", "registration", file)
    yield file
    structlog.configure(**before[0])
    root.handlers = before[1]
    root.setLevel(before[2])


def lines(file: io.BytesIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in file.getvalue().splitlines()]


def test_a_line_says_when_how_grave_who_and_what(written: io.BytesIO) -> None:
    structlog.get_logger().warning("waiting-to-consume", consumer="registration.joining")
    (line,) = lines(written)
    assert list(line) == ["time", "level", "service", "event", "consumer"]
    assert (line["level"], line["service"], line["event"]) == ("warning", "registration", "waiting-to-consume")


def test_a_line_names_the_request_and_the_trace_that_it_is_about(written: io.BytesIO) -> None:
    with stemming(Origin("order-66", TRACEPARENT)):
        structlog.get_logger().info("request")
    (line,) = lines(written)
    assert (line["correlation_id"], line["trace_id"]) == ("order-66", TRACEPARENT.split("-")[1])


def test_of_what_libraries_log_the_text_of_an_exception_is_left_out(written: io.BytesIO) -> None:
    try:
        int(SECRET)
    except ValueError:
        logging.getLogger("library").exception("It failed.")
    (line,) = lines(written)
    assert (line["event"], line["logger"], line["error"]) == ("It failed.", "library", "ValueError")
    assert str(line["at"]).startswith("tests.observability.test_logs:")
    assert SECRET.encode() not in written.getvalue()


def test_a_library_that_writes_lines_of_its_own_making_no_longer_does(written: io.BytesIO) -> None:
    library = logging.getLogger("faststream")
    own = io.StringIO()
    library.addHandler(logging.StreamHandler(own))
    library.propagate = False
    configure_logs("json", "registration", written)
    library.warning("Auto create topics is disabled.")
    assert own.getvalue() == ""
    assert [line["logger"] for line in lines(written)] == ["faststream"]


async def test_an_exception_that_nobody_fetched_is_told_of_without_its_text(written: io.BytesIO) -> None:
    failed = asyncio.get_running_loop().create_future()
    failed.set_exception(ValueError(SECRET))
    del failed
    (line,) = lines(written)
    assert (line["logger"], line["error"]) == ("asyncio", "ValueError")
    assert SECRET.encode() not in written.getvalue()


def test_for_a_person_a_line_is_no_json(written: io.BytesIO) -> None:
    file = io.BytesIO()
    configure_logs("console", "registration", file)
    structlog.get_logger().info("request", route="/workshops")
    assert b"route=/workshops" in file.getvalue()
    assert written.getvalue() == b""
