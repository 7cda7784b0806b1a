"""The spans of an attempt: under what came with the message, each step once, a failure where it happened."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import redis
from reconstruction_operator.contract.outcomes import Outcome
from reconstruction_operator.contract.records import End
from reconstruction_operator.contract.steps import STEPS
from reconstruction_operator.tasks.reconstruction import process_reconstruction
from reconstruction_operator.telemetry import tracing
from reconstruction_operator.telemetry.tracing import Span
from reconstruction_operator.worker.attempt.tracing import AttemptTrace

from devcluster.harness.collector import Collector
from tests.support.settings import configure

UID = "0b7c4a9e-6a55-4f57-9d8e-1f2a3b4c5d6e"


@pytest.fixture
def spans() -> list[Span]:
    return []


def trace(spans: list[Span], traceparent: str = "") -> AttemptTrace:
    """Of the first attempt; a second passes between two looks at the clock."""
    clock = iter(datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=second) for second in range(100))
    return AttemptTrace(UID, f"{UID}-1", "w@1", traceparent, now=lambda: next(clock), emit=spans.append)


def test_each_step_is_a_child_of_the_attempt_and_the_attempt_of_the_job(spans: list[Span]) -> None:
    one = trace(spans, str(tracing.of_job(UID)))
    for step in (STEPS[0], STEPS[0], STEPS[1]):
        one.reached(step)
    one.ended(End(Outcome.SUCCEEDED))

    assert [span.name for span in spans] == ["Loading input files", "Preprocessing images", "attempt"]
    attempt = spans[-1]
    assert attempt.parent == tracing.of_job(UID)
    assert {span.parent for span in spans[:-1]} == {attempt.place}
    assert {span.place.trace_id for span in spans} == {UID.replace("-", "")}
    assert [span.error for span in spans] == ["", "", ""]


def test_a_failure_is_told_at_the_step_where_it_happened(spans: list[Span]) -> None:
    one = trace(spans)
    one.reached(STEPS[0])
    one.reached(STEPS[1])
    one.ended(End(Outcome.FAILED, "CORRUPT_IMAGE", "a.jpg cannot be read"))

    assert [span.error for span in spans] == ["", *["CORRUPT_IMAGE: a.jpg cannot be read"] * 2]


def test_somebody_elses_trace_is_continued(spans: list[Span]) -> None:
    one = trace(spans, "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
    one.ended(None)

    assert spans[0].place.trace_id == "4bf92f3577b34da6a3ce929d0e0e4736"
    assert spans[0].parent is not None
    assert spans[0].parent.span_id == "00f067aa0ba902b7"
    assert spans[0].attributes["outcome"] == "Overtaken"


def test_the_trace_of_a_bare_message_is_taken_from_its_header(
    client: redis.Redis, jobs_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Collector() as collector:
        configure(monkeypatch, OTEL_EXPORTER_OTLP_ENDPOINT=collector.endpoint)
        header = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
        process_reconstruction.apply(args=("test123", "placeholder"), headers={"traceparent": header})
        tracing.flush(60)

    assert len(collector.spans) == 1 + len(STEPS)
    assert {span.trace_id for span in collector.spans} == {"4bf92f3577b34da6a3ce929d0e0e4736"}
    (attempt,) = [span for span in collector.spans if span.name == "attempt"]
    assert attempt.parent_id == "00f067aa0ba902b7"
