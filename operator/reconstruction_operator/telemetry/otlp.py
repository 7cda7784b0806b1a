"""OTLP exporter: sends spans to the collector with the OpenTelemetry SDK.

Imported only if the extra `tracing` is installed.

The SDK queues spans and exports them in batches, in a daemon thread. Spans are dropped if the queue is full or the
collector does not accept them within seconds. Besides the two settings, the SDK's own environment variables apply, such
as OTEL_EXPORTER_OTLP_CERTIFICATE and OTEL_RESOURCE_ATTRIBUTES.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Sequence
from contextvars import ContextVar
from datetime import datetime
from importlib import metadata
from typing import Final

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http import trace_exporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, Status, StatusCode, TraceFlags, set_span_in_context

from reconstruction_operator import config
from reconstruction_operator.telemetry.spans import Span, SpanIds

_QUEUE_SPANS: Final = 2_048
_BATCH_SPANS: Final = 256
_DELAY_MILLISECONDS: Final = 1_000
_TIMEOUT_SECONDS: Final = 5.0  # of one batch, with all retries
_VERSION: Final = metadata.version("reconstruction-operator")

_ids: Final[ContextVar[SpanIds]] = ContextVar("ids")  # of the span that is being started
_providers: Final[dict[tuple[int, str], TracerProvider]] = {}  # by process and service: no connection survives a fork


class JobIds(IdGenerator):
    """Uses the ids that follow from the job, instead of random ones."""

    def generate_trace_id(self) -> int:
        """Return the trace id of the span that is being started."""
        return int(_ids.get().trace_id, 16)

    def generate_span_id(self) -> int:
        """Return the id of the span that is being started."""
        return int(_ids.get().span_id, 16)


class Exporter(trace_exporter.OTLPSpanExporter):
    """The SDK's exporter, limited to one log line for each outage; the SDK logs each failure."""

    failing = False  # for the whole process, which has one collector

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send a batch; blocks for `_TIMEOUT_SECONDS` at most."""
        result = super().export(spans)
        if result is SpanExportResult.SUCCESS:
            Exporter.failing = False
        return result

    @classmethod
    def is_first_failure(cls, _record: logging.LogRecord) -> bool:
        """Filter the SDK's log lines, all of which report failures."""
        first, cls.failing = not cls.failing, True
        return first


logging.getLogger(trace_exporter.__name__).addFilter(Exporter.is_first_failure)


def emit(span: Span) -> None:
    """Queue the span in the SDK's exporter."""
    key = (os.getpid(), span.service)
    provider = _providers.get(key) or _providers.setdefault(key, _new_provider(span.service))
    tracer = provider.get_tracer("reconstruction_operator", _VERSION)
    token = _ids.set(span.ids)
    started = tracer.start_span(
        span.name,
        _context(span.parent),
        attributes=span.attributes,
        links=[Link(_remote(ids)) for ids in span.links],
        start_time=_nanoseconds(span.start),
    )
    _ids.reset(token)
    started.set_status(Status(StatusCode.ERROR, span.error) if span.error else Status(StatusCode.OK))
    started.end(_nanoseconds(max(span.start, span.end)))


def flush(seconds: float) -> None:
    """Wait until this process has exported or dropped its spans, for `seconds` at most."""
    own = [provider for (process, _), provider in _providers.items() if process == os.getpid()]

    def export_all() -> None:
        for provider in own:
            provider.force_flush()  # ignores its timeout (opentelemetry-python, issue 4568), hence the thread

    thread = threading.Thread(target=export_all, name="traces", daemon=True)
    thread.start()
    thread.join(seconds)


def _new_provider(service: str) -> TracerProvider:
    headers = dict(header.split("=", 1) for header in config.settings.OTEL_EXPORTER_OTLP_HEADERS if "=" in header)
    endpoint = f"{config.settings.OTEL_EXPORTER_OTLP_ENDPOINT.rstrip('/')}/v1/traces"
    provider = TracerProvider(
        sampler=ALWAYS_ON,
        resource=Resource.create({SERVICE_NAME: service, SERVICE_VERSION: _VERSION}),
        shutdown_on_exit=False,  # the SDK's own hook would wait for longer than `flush`
        id_generator=JobIds(),
    )
    provider.add_span_processor(
        BatchSpanProcessor(
            Exporter(endpoint=endpoint, headers=headers, timeout=_TIMEOUT_SECONDS),
            max_queue_size=_QUEUE_SPANS,
            max_export_batch_size=_BATCH_SPANS,
            schedule_delay_millis=_DELAY_MILLISECONDS,
        )
    )
    return provider


def _context(parent: SpanIds | None) -> Context:
    if parent is None:
        return Context()
    return set_span_in_context(NonRecordingSpan(_remote(parent)), Context())


def _remote(ids: SpanIds) -> SpanContext:
    flags = TraceFlags(TraceFlags.SAMPLED)
    return SpanContext(int(ids.trace_id, 16), int(ids.span_id, 16), is_remote=True, trace_flags=flags)


def _nanoseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1_000_000) * 1_000
