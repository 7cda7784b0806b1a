"""Tracing: one trace for each job, from its creation to its mesh, exported to OTEL_EXPORTER_OTLP_ENDPOINT.

A job's trace id is its uid, and a span's id is derived from the job, attempt and step. So no id is stored or passed on: an
operator after a restart, another replica and every worker write into the same trace. Operator and worker report a span
when it has ended; `otlp` exports it in a separate thread, with the OpenTelemetry SDK (the extra `tracing`).
"""

from __future__ import annotations

import functools
import hashlib
import logging
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from reconstruction_operator import config

OPERATOR: Final = "reconstruction-operator"
WORKER: Final = "reconstruction-worker"

_TRACEPARENT: Final = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}")  # W3C Trace Context

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SpanIds:
    """The ids of a span: 16 and 8 bytes, as hex."""

    trace_id: str
    span_id: str

    def __str__(self) -> str:
        """Return the ids as in the header `traceparent`, sampled."""
        return f"00-{self.trace_id}-{self.span_id}-01"

    @classmethod
    def parse(cls, text: str) -> SpanIds | None:
        """Return the ids in a `traceparent`; None for any other text."""
        match = _TRACEPARENT.fullmatch(text)
        if match is None or not int(match[1], 16) or not int(match[2], 16):
            return None
        return cls(match[1], match[2])

    def child(self, *about: object) -> SpanIds:
        """Return the ids of a child span. They are equal for equal arguments."""
        return SpanIds(self.trace_id, _digest("/".join([self.span_id, *map(str, about)]))[:16])


@dataclass(frozen=True, slots=True)
class Span:
    """A finished operation. `error` is the cause of its failure, or empty."""

    service: str  # OPERATOR or WORKER
    name: str
    ids: SpanIds
    parent: SpanIds | None
    start: datetime
    end: datetime
    attributes: Mapping[str, str | int | float | bool] = field(default_factory=dict)
    error: str = ""


def of_job(job_id: str) -> SpanIds:
    """Return the ids of the root of a job's trace. Its trace id is the uid of the object, without dashes."""
    try:
        trace_id = uuid.UUID(job_id).hex
    except ValueError:  # a bare `delay("test123")`
        trace_id = _digest(job_id)[:32]
    return SpanIds(trace_id, _digest(f"job/{job_id}")[:16])


def enabled() -> bool:
    """Return whether traces are exported: the endpoint is set, and the extra `tracing` is installed."""
    return bool(config.settings.OTEL_EXPORTER_OTLP_ENDPOINT) and _installed()


def emit(span: Span) -> None:
    """Queue the span for export. Never waits, never raises."""
    if not enabled():
        return
    from reconstruction_operator.telemetry import otlp  # noqa: PLC0415  # needs the extra

    try:
        otlp.emit(span)
    except Exception:
        logger.exception("The span %s is dropped", span.name)


def flush(seconds: float) -> None:
    """Wait until the spans of this process are exported or dropped, for `seconds` at most."""
    if enabled():
        from reconstruction_operator.telemetry import otlp  # noqa: PLC0415  # needs the extra

        otlp.flush(seconds)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@functools.cache
def _installed() -> bool:
    """Return whether the SDK can be imported; log once if it cannot."""
    try:
        import reconstruction_operator.telemetry.otlp  # noqa: F401, PLC0415  # needs the extra
    except Exception as error:  # noqa: BLE001  # a protobuf of the wrong version raises a TypeError
        logger.error(  # noqa: TRY400  # the traceback adds nothing
            "Traces are not exported: OTEL_EXPORTER_OTLP_ENDPOINT is set, but a package is missing or does not fit (%s). "
            "Install reconstruction-operator[tracing].",
            error,
        )
        return False
    return True
