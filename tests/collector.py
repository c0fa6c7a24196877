"""A collector of traces: takes OTLP over HTTP as one in production does, and keeps what it was sent."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

PATH = "/v1/traces"


@dataclass(frozen=True, slots=True)
class Seen:
    """A span as the collector got it; ids in hexadecimal, `parent` empty where it begins a trace."""

    service: str
    name: str
    trace_id: str
    span_id: str
    parent: str
    links: frozenset[str]
    failed: bool
    attributes: dict[str, str]


@dataclass
class Collector:
    """What was sent to it: spans, and the bytes that they came in."""

    url: str = ""
    spans: list[Seen] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    """Paths that nobody should have asked for."""

    def of(self, trace_id: str) -> list[Seen]:
        """Give the spans of a trace."""
        return [each for each in self.spans if each.trace_id == trace_id]

    def take(self, body: bytes) -> None:
        """Keep what a request holds."""
        self.bodies.append(body)
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            named = {each.key: each.value.string_value for each in resource.resource.attributes}
            for scope in resource.scope_spans:
                for span in scope.spans:
                    self.spans.append(
                        Seen(
                            named["service.name"],
                            span.name,
                            span.trace_id.hex(),
                            span.span_id.hex(),
                            span.parent_span_id.hex(),
                            frozenset(each.trace_id.hex() for each in span.links),
                            span.status.code == span.status.STATUS_CODE_ERROR,
                            {each.key: str(each.value).strip() for each in span.attributes},
                        )
                    )


@contextmanager
def collecting() -> Iterator[Collector]:
    """Run a collector."""
    collector = Collector()

    class Taking(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.path == PATH:
                collector.take(body)
            else:
                collector.others.append(self.path)
            answer = ExportTraceServiceResponse().SerializeToString()
            self.send_response(200)
            self.send_header("content-type", "application/x-protobuf")
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Taking)
    collector.url = f"http://127.0.0.1:{server.server_port}"
    serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    serving.start()
    try:
        yield collector
    finally:
        server.shutdown()
        server.server_close()
        serving.join()
