"""Logs: one line of JSON for each thing that happens, or a coloured one for a person at a terminal."""

import logging
import sys
from collections.abc import Mapping, MutableMapping
from datetime import UTC, datetime
from typing import Any, BinaryIO, Literal

import structlog
from pydantic_core import to_json

from shared.observability.origin import origin

QUIET = {
    "aiokafka": logging.ERROR,
    "alembic": logging.WARNING,
    "faststream": logging.WARNING,
    "httpx": logging.WARNING,
    "uvicorn.access": logging.WARNING,
    # It tells of each batch that no collector took; we count them, and tell of the first.
    "opentelemetry": logging.CRITICAL,
}
"""Libraries that say more than an operator wants to hear."""

Line = MutableMapping[str, Any]


def configure_logs(style: Literal["json", "console"], service: str, to: BinaryIO | None = None) -> None:
    """Write every log line to standard error, or `to` a file: `time`, `level`, `service`, `event` and what it says.

    `correlation_id` and `trace_id` are in each line that is about one request or event. Of an exception that a library
    logs only its class and place are written, for its text may be personal.
    """
    file = to or sys.stderr.buffer
    render = _as_json if style == "json" else _for_a_person(colours=file.isatty())

    def written(_logger: object, level: str, said: Line) -> bytes:
        return render(_line(level, service, said))

    structlog.configure(
        processors=[written],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.BytesLoggerFactory(file),
        cache_logger_on_first_use=True,
    )
    root = logging.getLogger()
    root.handlers = [_Libraries(structlog.BytesLogger(file), written)]
    root.setLevel(logging.INFO)
    for name, level in QUIET.items():
        library = logging.getLogger(name)
        library.setLevel(level)
        library.handlers, library.propagate = [], True  # FastStream writes lines of its own making


def where(error: BaseException) -> str:
    """Tell module and line where an exception came up: what may be logged of it, for its message may be personal."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "?" if trace is None else f"{trace.tb_frame.f_globals.get('__name__', '?')}:{trace.tb_lineno}"


class _Libraries(logging.Handler):
    """Takes what libraries log, and writes it as our own is written."""

    def __init__(self, logger: structlog.BytesLogger, written: Any) -> None:  # noqa: ANN401 - a processor of structlog
        super().__init__()
        self._logger = logger
        self._written = written

    def emit(self, record: logging.LogRecord) -> None:
        """Write the first line of a record: asyncio's others repeat the exception."""
        said: dict[str, Any] = {"event": record.getMessage().partition("\n")[0], "logger": record.name}
        if record.exc_info and (error := record.exc_info[1]):
            said |= {"error": type(error).__name__, "at": where(error)}
        self._logger.msg(self._written(None, record.levelname.lower(), said))


def _line(level: str, service: str, said: Line) -> Line:
    line: Line = {"time": datetime.now(UTC).isoformat(), "level": level, "service": service, "event": said.pop("event")}
    source = origin()
    if source.correlation_id:
        line["correlation_id"] = source.correlation_id
    if trace_id := source.trace_id:
        line["trace_id"] = trace_id
    line.update(said)
    return line


def _as_json(line: Mapping[str, Any]) -> bytes:
    return to_json(line, fallback=str)


def _for_a_person(*, colours: bool) -> Any:  # noqa: ANN401 - a function
    renderer = structlog.dev.ConsoleRenderer(colors=colours, timestamp_key="time")

    def render(line: Line) -> bytes:
        return renderer(None, line["level"], line).encode()

    return render
