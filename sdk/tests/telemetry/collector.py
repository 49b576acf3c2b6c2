"""A collector of traces, as small as can be: it takes OTLP over HTTP, and keeps what came."""

from __future__ import annotations

import gzip
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import NamedTuple, Self

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


class Told(NamedTuple):
    """A span that came.

    Attributes:
        service: the service that made it.
        name: its name.
        trace_id: the trace that it is in.
        span_id: its id.
        parent_id: the span that it is in; empty if it begins its trace.
        linked: the spans that it is linked to.
        attributes: what it says of itself, as far as that is text.
    """

    service: str
    name: str
    trace_id: str
    span_id: str
    parent_id: str
    linked: tuple[str, ...]
    attributes: dict[str, str]


class Collector:
    """Serves at a free port of the loopback, inside its block.

    Attributes:
        spans: what came so far.
        paths: where it came to.
    """

    def __init__(self) -> None:
        self.spans: list[Told] = []
        self.paths: set[str] = set()
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                data = self.rfile.read(int(self.headers["content-length"]))
                collector.paths.add(self.path)
                collector.take(gzip.decompress(data) if self.headers.get("content-encoding") == "gzip" else data)
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, format: str, *arguments: object) -> None:
                """What it serves is no news."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def endpoint(self) -> str:
        """Its URL, as exporters take it."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def take(self, data: bytes) -> None:
        """Keep the spans of a request."""
        for resource in ExportTraceServiceRequest.FromString(data).resource_spans:
            (service,) = (
                each.value.string_value for each in resource.resource.attributes if each.key == "service.name"
            )
            self.spans += [
                Told(
                    service,
                    span.name,
                    span.trace_id.hex(),
                    span.span_id.hex(),
                    span.parent_span_id.hex(),
                    tuple(link.span_id.hex() for link in span.links),
                    {each.key: each.value.string_value for each in span.attributes},
                )
                for scope in resource.scope_spans
                for span in scope.spans
            ]

    def one(self, name: str) -> Told | None:
        """The only span of a name, as soon as it came."""
        found = [span for span in self.spans if span.name == name]
        assert len(found) <= 1, found
        return found[0] if found else None
