"""Traces, by switch: one a job, from its creation to its mesh, for anything that takes OpenTelemetry's OTLP over HTTP.

A job's trace id is its uid, and a span's id follows from what it is about. Nobody has to remember or hand over anything: an
operator that was restarted, another replica and every worker write into the same trace. That is also why the SDK is not used:
it makes up its ids. What is sent is OTLP as JSON (opentelemetry.io/docs/specs/otlp), which every collector takes.

Sending happens in a thread of the process that has something to say, and never holds it up. What cannot be sent is dropped.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import queue
import re
import threading
import time
import urllib.request
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from typing import Any, Final

from reconstruction_operator import config

logger = logging.getLogger(__name__)

OPERATOR: Final = "reconstruction-operator"
WORKER: Final = "reconstruction-worker"

_QUEUE_SPANS: Final = 2_048
_BATCH_SPANS: Final = 256
_GATHER_SECONDS: Final = 1.0
_SEND_SECONDS: Final = 5.0
_INTERNAL: Final = 1  # SPAN_KIND_INTERNAL
_OK, _ERROR = 1, 2  # STATUS_CODE_…
_TRACEPARENT: Final = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}")  # W3C Trace Context
_NANOSECONDS: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Place:
    """A span that others are children of: 16 and 8 bytes, as hex."""

    trace_id: str
    span_id: str

    def __str__(self) -> str:
        """As the header `traceparent` has it, sampled."""
        return f"00-{self.trace_id}-{self.span_id}-01"

    @classmethod
    def parse(cls, text: str) -> Place | None:
        """The place of a `traceparent`; None for anything else."""
        found = _TRACEPARENT.fullmatch(text)
        if found is None or not int(found[1], 16) or not int(found[2], 16):
            return None
        return cls(found[1], found[2])

    def child(self, *about: object) -> Place:
        """The span below this one that is about that; the same for the same."""
        return Place(self.trace_id, _digest("/".join([self.span_id, *map(str, about)]))[:16])


@dataclass(frozen=True, slots=True)
class Span:
    """Something that took time. `error` is what went wrong, or empty."""

    service: str
    name: str
    place: Place
    parent: Place | None
    start: datetime
    end: datetime
    attributes: Mapping[str, str | int | float | bool] = field(default_factory=dict)
    error: str = ""


def of_job(job_id: str) -> Place:
    """The root of a job's trace. Its trace id is the uid of the object, without dashes."""
    try:
        trace_id = uuid.UUID(job_id).hex
    except ValueError:  # a bare `delay("test123")`
        trace_id = _digest(job_id)[:32]
    return Place(trace_id, _digest(f"job/{job_id}")[:16])


def enabled() -> bool:
    """Whether there is somebody to send traces to."""
    return bool(config.settings.OTEL_EXPORTER_OTLP_ENDPOINT)


def emit(span: Span) -> None:
    """Send it, some time soon. Never waits, never raises."""
    if enabled():
        _exporter().put(span)


def flush(seconds: float) -> None:
    """Wait until what this process has emitted is sent, for so long at most."""
    exporter = _exporters.get(os.getpid())
    if exporter is not None:
        exporter.flush(seconds)


def otlp(spans: Iterable[Span]) -> dict[str, Any]:
    """The body of a request: an ExportTraceServiceRequest as JSON."""
    by_service: dict[str, list[dict[str, Any]]] = {}
    for span in spans:
        by_service.setdefault(span.service, []).append(_encoded(span))
    version = metadata.version("reconstruction-operator")
    return {
        "resourceSpans": [
            {
                "resource": {"attributes": _attributes({"service.name": service, "service.version": version})},
                "scopeSpans": [{"scope": {"name": "reconstruction_operator", "version": version}, "spans": encoded}],
            }
            for service, encoded in by_service.items()
        ]
    }


class Exporter:
    """Gathers spans for a second and sends them together."""

    def __init__(self, endpoint: str, headers: Mapping[str, str]) -> None:
        self._address = f"{endpoint.rstrip('/')}/v1/traces"
        self._headers = {"Content-Type": "application/json", **headers}
        self._waiting: queue.Queue[Span] = queue.Queue(_QUEUE_SPANS)
        self._failing = False
        threading.Thread(target=self._run, name="traces", daemon=True).start()

    def put(self, span: Span) -> None:
        """Take it, or drop it where too many wait."""
        try:
            self._waiting.put_nowait(span)
        except queue.Full:
            logger.debug("a span was dropped: the collector is too slow")

    def flush(self, seconds: float) -> None:
        """Wait until all is sent or given up."""
        deadline = time.monotonic() + seconds
        with self._waiting.all_tasks_done:
            while self._waiting.unfinished_tasks and time.monotonic() < deadline:
                self._waiting.all_tasks_done.wait(max(0.0, deadline - time.monotonic()))

    def _run(self) -> None:
        while True:
            spans = [self._waiting.get()]
            deadline = time.monotonic() + _GATHER_SECONDS
            while len(spans) < _BATCH_SPANS and (left := deadline - time.monotonic()) > 0:
                try:
                    spans.append(self._waiting.get(timeout=left))
                except queue.Empty:
                    break
            self._send(spans)
            for _ in spans:
                self._waiting.task_done()

    def _send(self, spans: list[Span]) -> None:
        body = json.dumps(otlp(spans)).encode()
        request = urllib.request.Request(self._address, body, self._headers)  # noqa: S310  # config takes http and https alone
        try:
            with urllib.request.urlopen(request, timeout=_SEND_SECONDS):  # noqa: S310  # the same
                self._failing = False
        except OSError as error:
            if not self._failing:
                logger.warning("traces are dropped: %s: %s", self._address, error)
            self._failing = True


_exporters: dict[int, Exporter] = {}  # by process: threads do not survive a fork


def _exporter() -> Exporter:
    found = _exporters.get(os.getpid())
    if found is None:
        headers = dict(one.split("=", 1) for one in config.settings.OTEL_EXPORTER_OTLP_HEADERS if "=" in one)
        found = _exporters[os.getpid()] = Exporter(config.settings.OTEL_EXPORTER_OTLP_ENDPOINT, headers)
    return found


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _encoded(span: Span) -> dict[str, Any]:
    status = {"code": _ERROR, "message": span.error} if span.error else {"code": _OK}
    return {
        "traceId": span.place.trace_id,
        "spanId": span.place.span_id,
        "parentSpanId": "" if span.parent is None else span.parent.span_id,
        "name": span.name,
        "kind": _INTERNAL,
        "startTimeUnixNano": _nanoseconds(span.start),
        "endTimeUnixNano": _nanoseconds(max(span.start, span.end)),
        "attributes": _attributes(span.attributes),
        "status": status,
    }


def _nanoseconds(moment: datetime) -> str:
    since = moment - datetime.fromtimestamp(0, UTC)
    return str((since.days * 86_400 + since.seconds) * _NANOSECONDS + since.microseconds * 1_000)


def _attributes(values: Mapping[str, str | int | float | bool]) -> list[dict[str, Any]]:
    return [{"key": name, "value": _value(value)} for name, value in values.items()]


def _value(value: str | float | bool) -> dict[str, Any]:
    match value:
        case bool():
            return {"boolValue": value}
        case int():
            return {"intValue": str(value)}
        case float():
            return {"doubleValue": value}
        case _:
            return {"stringValue": value}
