"""OTLP exporter: spans are exported with the ids of their jobs, and never delay their process."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from reconstruction_operator.telemetry import otlp, tracing
from reconstruction_operator.telemetry.spans import Span, SpanIds

from devcluster.harness.collector import Collector, Received
from tests.support.settings import configure

UID = "0b7c4a9e-6a55-4f57-9d8e-1f2a3b4c5d6e"
START = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
ROOT = SpanIds("0b7c4a9e6a554f579d8e1f2a3b4c5d6e", "00000000000000bb")
SPAN = Span(
    tracing.WORKER,
    "attempt",
    SpanIds(ROOT.trace_id, "00000000000000aa"),
    ROOT,
    START,
    START + timedelta(seconds=2),
    {"text": "a", "whole": 3, "real": 0.5, "yes": True},
    links=(SpanIds(ROOT.trace_id, "00000000000000cc"),),
)


@pytest.fixture(autouse=True)
def _new_exporters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(otlp, "_providers", {})
    monkeypatch.setattr(otlp.Exporter, "failing", False)


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    with Collector() as running:
        configure(
            monkeypatch,
            OTEL_EXPORTER_OTLP_ENDPOINT=f"{running.endpoint}/",
            OTEL_EXPORTER_OTLP_HEADERS=("Authorization=Basic abc=",),
        )
        yield running


def test_without_an_endpoint_no_span_is_exported_and_no_thread_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    configure(monkeypatch, OTEL_EXPORTER_OTLP_ENDPOINT="")
    tracing.emit(SPAN)
    tracing.flush(1)
    assert otlp._providers == {}


def test_a_span_arrives_with_its_ids_times_attributes_links_and_headers(collector: Collector) -> None:
    tracing.emit(SPAN)
    tracing.flush(60)

    ((path, headers),) = collector.requests
    assert (path, headers["authorization"]) == ("/v1/traces", "Basic abc=")
    expected = Received(
        service="reconstruction-worker",
        name="attempt",
        trace_id=ROOT.trace_id,
        span_id="00000000000000aa",
        parent_id=ROOT.span_id,
        error="",
        start=1767323045678901000,
        end=1767323047678901000,
        attributes=dict(SPAN.attributes),
        links=("00000000000000cc",),
    )
    assert collector.spans == [expected]


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")  # from Python 3.12 on
def test_a_forked_process_exports_only_its_own_spans(collector: Collector) -> None:
    tracing.emit(SPAN)
    child = os.fork()
    if child == 0:
        tracing.emit(Span(tracing.WORKER, "child", ROOT.child("child"), ROOT, START, START))
        tracing.flush(60)
        os._exit(0)
    os.waitpid(child, 0)
    tracing.flush(60)

    assert sorted(span.name for span in collector.spans) == ["attempt", "child"]


def test_an_outage_of_the_collector_drops_spans_and_is_logged_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    configure(monkeypatch, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:1")
    monkeypatch.setattr(otlp, "_TIMEOUT_SECONDS", 0.1)
    for _ in range(2):
        tracing.emit(SPAN)
        tracing.flush(60)
    assert caplog.messages == ["Failed to export spans batch due to timeout, max retries or shutdown."]


def test_flush_returns_in_time_although_the_collector_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        configure(monkeypatch, OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{silent.getsockname()[1]}")
        monkeypatch.setattr(otlp, "_TIMEOUT_SECONDS", 1.0)
        tracing.emit(SPAN)
        started = time.monotonic()
        tracing.flush(0.1)
        waited = time.monotonic() - started
        tracing.flush(60)

    assert waited < 0.9


def test_an_invalid_environment_of_the_sdk_only_drops_the_span(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    configure(monkeypatch, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:1")
    monkeypatch.setenv("OTEL_PYTHON_EXPORTER_OTLP_HTTP_CREDENTIAL_PROVIDER", "nonsense")
    tracing.emit(SPAN)
    assert caplog.messages == ["The span attempt is dropped"]
