"""Ids that follow from the job, the encoding that collectors take, and an exporter that never holds anybody up."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from reconstruction_operator.telemetry import tracing
from reconstruction_operator.telemetry.tracing import Place, Span

from devcluster.harness.collector import Collector
from tests.support.settings import configure

UID = "0b7c4a9e-6a55-4f57-9d8e-1f2a3b4c5d6e"
START = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
SPAN = Span(
    tracing.WORKER,
    "attempt",
    Place("0b7c4a9e6a554f579d8e1f2a3b4c5d6e", "00000000000000aa"),
    Place("0b7c4a9e6a554f579d8e1f2a3b4c5d6e", "00000000000000bb"),
    START,
    START + timedelta(seconds=2),
    {"text": "a", "whole": 3, "real": 0.5, "yes": True},
)


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    with Collector() as running:
        configure(monkeypatch, OTEL_EXPORTER_OTLP_ENDPOINT=f"{running.endpoint}/")
        configure(monkeypatch, OTEL_EXPORTER_OTLP_HEADERS=("Authorization=Basic abc=",))
        monkeypatch.setattr(tracing, "_exporters", {})
        yield running


def test_the_trace_id_of_a_job_is_its_uid() -> None:
    assert tracing.of_job(UID).trace_id == UID.replace("-", "")
    assert tracing.of_job(UID) == tracing.of_job(UID)


def test_a_job_without_a_uid_has_a_trace_as_well() -> None:
    place = tracing.of_job("test123")
    assert (len(place.trace_id), len(place.span_id)) == (32, 16)
    assert Place.parse(str(place)) == place


def test_children_differ_by_what_they_are_about_and_keep_the_trace() -> None:
    root = tracing.of_job(UID)
    first, second = root.child("attempt", 1), root.child("attempt", 2)
    assert first == root.child("attempt", 1)
    assert len({root.span_id, first.span_id, second.span_id}) == 3
    assert {first.trace_id, second.trace_id} == {root.trace_id}


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param("00-abc-def-01", id="too short"),
        pytest.param(f"00-{'0' * 32}-{'1' * 16}-01", id="an invalid trace id"),
        pytest.param(f"00-{'1' * 32}-{'0' * 16}-01", id="an invalid span id"),
        pytest.param(f"00-{'G' * 32}-{'1' * 16}-01", id="no hex"),
    ],
)
def test_what_is_no_traceparent_is_none(text: str) -> None:
    assert Place.parse(text) is None


def test_a_span_is_encoded_as_otlp_wants_it() -> None:
    (resource,) = tracing.otlp([SPAN])["resourceSpans"]
    (scope,) = resource["scopeSpans"]
    assert resource["resource"]["attributes"][0] == {
        "key": "service.name",
        "value": {"stringValue": "reconstruction-worker"},
    }
    assert scope["spans"] == [
        {
            "traceId": "0b7c4a9e6a554f579d8e1f2a3b4c5d6e",
            "spanId": "00000000000000aa",
            "parentSpanId": "00000000000000bb",
            "name": "attempt",
            "kind": 1,
            "startTimeUnixNano": "1767323045678901000",
            "endTimeUnixNano": "1767323047678901000",
            "attributes": [
                {"key": "text", "value": {"stringValue": "a"}},
                {"key": "whole", "value": {"intValue": "3"}},
                {"key": "real", "value": {"doubleValue": 0.5}},
                {"key": "yes", "value": {"boolValue": True}},
            ],
            "status": {"code": 1},
        }
    ]


def test_spans_arrive_at_the_collector_with_its_headers(collector: Collector) -> None:
    for _ in range(3):
        tracing.emit(SPAN)
    tracing.flush(60)

    assert {(path, headers["Authorization"]) for path, headers in collector.requests} == {("/v1/traces", "Basic abc=")}
    assert [span.name for span in collector.spans] == ["attempt"] * 3


def test_without_an_endpoint_nothing_is_sent_and_no_thread_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    configure(monkeypatch, OTEL_EXPORTER_OTLP_ENDPOINT="")
    monkeypatch.setattr(tracing, "_exporters", {})
    tracing.emit(SPAN)
    tracing.flush(1)
    assert tracing._exporters == {}


def test_a_collector_that_is_away_costs_the_spans_and_is_said_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    configure(monkeypatch, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:1")
    monkeypatch.setattr(tracing, "_exporters", {})
    for _ in range(2):
        tracing.emit(SPAN)
        tracing.flush(60)
    assert [record.message for record in caplog.records if "traces are dropped" in record.message] != []
    assert len(caplog.records) == 1
