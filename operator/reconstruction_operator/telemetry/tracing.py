"""Tracing: one trace for each job, from its creation to its mesh, exported to OTEL_EXPORTER_OTLP_ENDPOINT.

A job's trace id is its uid, and a span's id is derived from the job, attempt and step. So no id is stored or passed on:
an operator after a restart, another replica and every worker write into the same trace. Operator and worker report a
span when it has ended; `otlp` exports it in a separate thread, with the OpenTelemetry SDK (the extra `tracing`).
"""

from __future__ import annotations

import functools
import logging
import uuid
from typing import Final

from reconstruction_operator import config
from reconstruction_operator.telemetry.spans import Span, SpanIds, digest

OPERATOR: Final = "reconstruction-operator"
WORKER: Final = "reconstruction-worker"

logger = logging.getLogger(__name__)


def of_job(job_id: str) -> SpanIds:
    """Return the ids of the root of a job's trace. Its trace id is the uid of the object, without dashes."""
    try:
        trace_id = uuid.UUID(job_id).hex
    except ValueError:  # a bare `delay("test123")`
        trace_id = digest(job_id)[:32]
    return SpanIds(trace_id, digest(f"job/{job_id}")[:16])


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


@functools.cache
def _installed() -> bool:
    """Return whether the SDK can be imported; log once if it cannot."""
    try:
        import reconstruction_operator.telemetry.otlp  # noqa: F401, PLC0415  # needs the extra
    except Exception as error:  # noqa: BLE001  # a protobuf of the wrong version raises a TypeError
        logger.error(  # noqa: TRY400  # the traceback adds nothing
            "Traces are not exported: OTEL_EXPORTER_OTLP_ENDPOINT is set, but a package is missing or "
            "does not fit (%s). "
            "Install reconstruction-operator[tracing].",
            error,
        )
        return False
    return True
