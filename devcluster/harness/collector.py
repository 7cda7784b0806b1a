"""Trace collector for as long as a `with` block: takes OTLP over HTTP as JSON, and keeps the spans."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True)
class Received:
    """One span."""

    service: str
    name: str
    trace_id: str
    span_id: str
    parent_id: str
    error: str
    start: int  # Unix nanoseconds
    end: int


class Collector:
    """Listens on a free port of 127.0.0.1."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, Mapping[str, str]]] = []  # path and headers
        self.spans: list[Received] = []
        collector = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                collector.requests.append((self.path, dict(self.headers)))
                collector.spans += _spans(body)
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Log nothing."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)

    @property
    def endpoint(self) -> str:
        """The value for OTEL_EXPORTER_OTLP_ENDPOINT."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _spans(body: Mapping[str, Any]) -> list[Received]:
    found = []
    for resource in body["resourceSpans"]:
        attributes = {one["key"]: one["value"] for one in resource["resource"]["attributes"]}
        found += [
            Received(
                service=attributes["service.name"]["stringValue"],
                name=span["name"],
                trace_id=span["traceId"],
                span_id=span["spanId"],
                parent_id=span["parentSpanId"],
                error=span["status"].get("message", ""),
                start=int(span["startTimeUnixNano"]),
                end=int(span["endTimeUnixNano"]),
            )
            for scope in resource["scopeSpans"]
            for span in scope["spans"]
        ]
    return found
