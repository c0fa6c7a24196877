"""Spans made and sent by OpenTelemetry; loaded only where a collector is named, for it is large."""

import logging
import threading
from collections.abc import Iterable, Sequence

import structlog
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)
from opentelemetry.trace import Span as OpenTelemetrySpan

from shared.observability.metrics import SPANS
from shared.observability.tracing import Kind, Value

log = structlog.get_logger()
PATH = "/v1/traces"
SECONDS_TO_EXPORT = 2.0
SECONDS_BETWEEN_EXPORTS = 0.5
SECONDS_TO_END = 0.5
_KINDS: dict[Kind, SpanKind] = {
    "internal": SpanKind.INTERNAL,
    "server": SpanKind.SERVER,
    "client": SpanKind.CLIENT,
    "producer": SpanKind.PRODUCER,
    "consumer": SpanKind.CONSUMER,
}


class Telemetry:
    """Records spans and sends them to a collector (OTLP over HTTP) from a thread of its own, which nobody waits for.

    While no collector takes them they are thrown away, the oldest first. `OTEL_TRACES_SAMPLER` and the other variables
    of OpenTelemetry's SDK count as they do everywhere.
    """

    def __init__(self, endpoint: str, service: str) -> None:
        self._exporter: SpanExporter = OTLPSpanExporter(endpoint.rstrip("/") + PATH, timeout=SECONDS_TO_EXPORT)
        sending = BatchSpanProcessor(_Counted(self._exporter), schedule_delay_millis=SECONDS_BETWEEN_EXPORTS * 1000)
        resource = Resource.create({"service.name": f"convoca-{service}", "service.namespace": "convoca"})
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(sending)
        self._tracer = self._provider.get_tracer("convoca")

    def start(
        self,
        name: str,
        *,
        kind: Kind,
        parent: str | None,
        links: Iterable[str] = (),
        attributes: dict[str, Value] | None = None,
        at: int | None = None,
    ) -> "_Span":
        """Begin a span, now or `at` (nanoseconds since 1970)."""
        begun = self._tracer.start_span(
            name,
            context=set_span_in_context(NonRecordingSpan(_read(parent))) if parent else None,
            kind=_KINDS[kind],
            attributes=attributes,
            links=[Link(_read(each)) for each in links],
            start_time=at,
            record_exception=False,
            set_status_on_exception=False,
        )
        return _Span(begun)

    def close(self) -> None:
        """Send what is left, and wait for that no longer than half a second."""
        ending = threading.Thread(target=self._provider.shutdown, name="spans-end", daemon=True)
        ending.start()
        ending.join(SECONDS_TO_END)
        if ending.is_alive():
            self._exporter.shutdown()  # it tries no more, so that its thread ends soon too


class _Span:
    def __init__(self, begun: OpenTelemetrySpan) -> None:
        self._begun = begun
        context = begun.get_span_context()
        self.traceparent = f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"

    def note(self, attributes: dict[str, Value], name: str | None = None) -> None:
        self._begun.set_attributes(attributes)
        if name is not None:
            self._begun.update_name(name)

    def end(self, error: str | None = None) -> None:
        if error is not None:
            self._begun.set_attribute("error.type", error)
            self._begun.set_status(Status(StatusCode.ERROR))
        self._begun.end()


class _Counted(SpanExporter):
    """Counts what a collector takes and what it does not, and tells of the change from one to the other."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self._taken = True

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = self._exporter.export(spans)
        taken = result is SpanExportResult.SUCCESS
        SPANS.labels("taken" if taken else "lost").inc(len(spans))
        if taken is not self._taken:
            self._taken = taken
            log.log(logging.INFO if taken else logging.WARNING, "traces-are-taken" if taken else "traces-are-not-taken")
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._exporter.force_flush(timeout_millis)


def _read(traceparent: str) -> SpanContext:
    _, trace_id, span_id, flags = traceparent.split("-")
    return SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=TraceFlags(int(flags, 16)))
