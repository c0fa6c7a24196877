"""What can be seen from outside: logs as JSON, counters for Prometheus; nothing personal in either."""

import logging
import sys
from typing import Literal

import structlog
from prometheus_client import Counter, Gauge

EVENTS = Counter("convoca_events_total", "Events that a consumer took, by what became of them", ["consumer", "outcome"])
SENT = Counter("convoca_outbox_sent_total", "Messages that the relay sent", ["topic"])
RELAY_ERRORS = Counter("convoca_relay_errors_total", "Failures of the relay, after each of which it begins anew")
REFUSED = Counter("convoca_outbox_refused_total", "Messages that the broker refused for good", ["topic"])
LEADING = Gauge("convoca_relay_leading", "1 where this process relays the outbox")


def configure_logs(style: Literal["json", "console"], service: str) -> None:
    """Send every log line to standard error: JSON for machines, or coloured for a person at a terminal."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.EventRenamer("event"),
    ]
    renderer: structlog.typing.Processor
    if style == "json":
        renderer = structlog.processors.JSONRenderer()
    else:
        renderer = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
            foreign_pre_chain=shared,
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.INFO)
    for noisy in ("aiokafka", "uvicorn.access", "faststream", "alembic", "httpx"):
        logging.getLogger(noisy).setLevel(logging.ERROR if noisy == "aiokafka" else logging.WARNING)
    structlog.contextvars.bind_contextvars(service=service)


def where(error: BaseException) -> str:
    """Tell module and line where an exception came up: what may be logged of it, for its message may be personal."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "?" if trace is None else f"{trace.tb_frame.f_globals.get('__name__', '?')}:{trace.tb_lineno}"
