"""Trace collector for as long as a `with` block: accepts OTLP over HTTP (protobuf), and keeps requests and spans."""

from __future__ import annotations

import contextlib
import http.server
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Self

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from devcluster.servers.running import answering


@dataclass(frozen=True)
class Received:
    """A span."""

    service: str
    name: str
    trace_id: str
    span_id: str
    parent_id: str
    error: str
    start: int  # Unix nanoseconds
    end: int
    attributes: Mapping[str, str | int | float | bool]
    links: tuple[str, ...] = ()  # ids of spans


class Collector(contextlib.ExitStack):
    """Listens on a free port of 127.0.0.1."""

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[tuple[str, Mapping[str, str]]] = []  # path, and headers by name in lower case
        self.spans: list[Received] = []
        collector = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                collector.requests.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
                collector.spans += _spans(ExportTraceServiceRequest.FromString(body))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Log nothing."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    @property
    def endpoint(self) -> str:
        """The value for OTEL_EXPORTER_OTLP_ENDPOINT."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self.enter_context(answering(self._server))
        return super().__enter__()


def _spans(request: ExportTraceServiceRequest) -> list[Received]:
    spans = []
    for resource in request.resource_spans:
        (service,) = (
            attribute.value.string_value
            for attribute in resource.resource.attributes
            if attribute.key == "service.name"
        )
        spans += [
            Received(
                service=service,
                name=span.name,
                trace_id=span.trace_id.hex(),
                span_id=span.span_id.hex(),
                parent_id=span.parent_span_id.hex(),
                error=span.status.message,
                start=span.start_time_unix_nano,
                end=span.end_time_unix_nano,
                attributes=MappingProxyType({attribute.key: _value(attribute.value) for attribute in span.attributes}),
                links=tuple(link.span_id.hex() for link in span.links),
            )
            for scope in resource.scope_spans
            for span in scope.spans
        ]
    return spans


def _value(value: AnyValue) -> str | int | float | bool:
    content: str | int | float | bool = getattr(value, str(value.WhichOneof("value")))
    return content
