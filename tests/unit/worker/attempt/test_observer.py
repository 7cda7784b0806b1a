"""Metrics and spans of an attempt, with an open relay and a collector of spans."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from reconstruction_operator.api.attempt_status import StepTime
from reconstruction_operator.api.identity import AttemptRef
from reconstruction_operator.api.status import Outputs
from reconstruction_operator.contract.attempt import Findings, Legs, Orders
from reconstruction_operator.contract.envelope import Envelope
from reconstruction_operator.contract.outcomes import Outcome
from reconstruction_operator.contract.records import End
from reconstruction_operator.contract.steps import STEPS
from reconstruction_operator.tasks.reconstruction import process_reconstruction
from reconstruction_operator.telemetry import relay, tracing
from reconstruction_operator.telemetry import worker_metrics as metrics
from reconstruction_operator.telemetry.spans import Span
from reconstruction_operator.worker.attempt.assignment import Assignment
from reconstruction_operator.worker.attempt.observer import AttemptObserver
from reconstruction_operator.worker.attempt.progress import Meta, ProgressSender
from reconstruction_operator.worker.attempt.steps import Reached

from devcluster.harness.collector import Collector
from tests.support.refs import make_attempt, make_bare
from tests.support.settings import configure

pytestmark = pytest.mark.usefixtures("client", "jobs_dir")

Value = Callable[..., float | None]

UID = "0b7c4a9e-6a55-4f57-9d8e-1f2a3b4c5d6e"
TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

_LABELLED = (
    metrics.ATTEMPTS,
    metrics.STEP_TIME,
    metrics.IMAGES,
    metrics.INPUT,
    metrics.OUTPUT,
    metrics.HIGHEST_MEMORY,
)


@pytest.fixture
def value() -> Iterator[Value]:
    """Return a function that reads a sample, after all measurements sent before have arrived."""
    for metric in _LABELLED:
        metric.clear()
    opened = relay.Relay()
    relay.install(opened)
    opened.start()

    def read(name: str, **labels: str) -> float | None:
        opened.close()
        return metrics.REGISTRY.get_sample_value(f"reconstruction_worker_{name}", labels)

    yield read
    relay.install(None)
    for metric in _LABELLED:
        metric.clear()


class Observed:
    """An observer of the first attempt of a job, its spans, and a clock that the test sets."""

    def __init__(self, traceparent: str = "", attempt: AttemptRef | None = None, orders: Orders | None = None) -> None:
        self.seconds = 0.0
        self.spans: list[Span] = []
        self.sent: list[Meta] = []
        self.sender = ProgressSender(self.sent.append, flush=True)
        self.observer = AttemptObserver(
            Assignment(
                Envelope(attempt or make_attempt(UID), orders=orders or Orders()), "photogrammetry", "w@1", traceparent
            ),
            self.sender,
            monotonic=lambda: self.seconds,
            now=lambda: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self.seconds),
            emit=self.spans.append,
        )
        self.observer.model = "photogrammetry"

    def reach(
        self,
        step: int,
        *,
        at: float,
        fraction: float = 0.0,
        resumed: str = "",
        base: float = 0.0,
        remaining: float | None = None,
    ) -> None:
        self.seconds = at
        reached = Reached(STEPS[step - 1], 0, fraction, resumed=resumed, base=base, remaining_seconds=remaining)
        self.observer.reached(reached, keep=True)

    def send(self) -> None:
        """Send the progress of the run."""
        with self.sender:
            pass

    def end(self, end: End | None, *, at: float = 100.0) -> None:
        self.seconds = at
        self.observer.ended(end)


def test_a_step_is_measured_until_the_next_begins_or_the_job_succeeds(value: Value) -> None:
    observed = Observed()
    observed.reach(1, at=1.0)
    observed.reach(1, at=5.0)
    observed.reach(2, at=11.0)
    observed.end(End(Outcome.SUCCEEDED, outputs=Outputs("file:///x", 5_000)), at=31.0)

    assert value("step_seconds_sum", model="photogrammetry", step="Loading input files") == 10.0
    assert value("step_seconds_sum", model="photogrammetry", step="Preprocessing images") == 20.0
    assert value("output_bytes_total", model="photogrammetry") == 5_000


def test_progress_reports_finished_steps_and_the_end_all_steps() -> None:
    observed = Observed()
    observed.reach(1, at=1.0)
    observed.reach(2, at=11.4)
    observed.reach(3, at=20.0, remaining=61.56)
    observed.seconds = 21.5
    assert observed.observer.step_seconds == pytest.approx(
        {"Loading input files": 10.4, "Preprocessing images": 8.6, "Running reconstruction": 1.5}
    )
    observed.send()
    steps = [meta["findings"].get("steps", []) for meta in observed.sent]
    assert [[step["seconds"] for step in each] for each in steps] == [[], [10], [10, 9]]
    assert [step.seconds for step in observed.observer.findings.steps] == [10, 9, 2]
    assert [meta.get("remaining") for meta in observed.sent] == [None, None, 61.6]


def test_progress_and_findings_of_a_leg_have_the_steps_of_the_legs_before() -> None:
    before = Findings(steps=(StepTime("Loading input files", 8), StepTime("Running reconstruction", 70)))
    observed = Observed(orders=Orders(legs=Legs({}, "celery", 1, "depth", before)))
    observed.reach(1, at=1.0)
    observed.reach(3, at=5.0)
    observed.seconds = 25.0

    observed.send()

    times = [{step["name"]: step["seconds"] for step in meta["findings"]["steps"]} for meta in observed.sent]
    assert [list(each.values()) for each in times] == [[8, 70], [12, 70]]
    assert [step.seconds for step in observed.observer.findings.steps] == [12, 90]


def test_the_pace_of_a_resumed_run_counts_from_its_stage() -> None:
    observed = Observed()
    start = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
    observed.reach(1, at=1.0)
    observed.reach(3, at=11.0, fraction=0.4, resumed="matches of attempt 1", base=0.4)
    observed.reach(3, at=12.0, fraction=0.5, resumed="matches of attempt 1", base=0.4)
    observed.send()
    first, *rest = observed.sent
    assert "resumedFrom" not in first["findings"]
    assert [
        (progress["startedAt"] - start, progress["base"], progress["findings"]["resumedFrom"]) for progress in rest
    ] == [(11.0, 0.4, "matches of attempt 1")] * 2
    assert observed.observer.resumed_from == "matches of attempt 1"


@pytest.mark.parametrize(
    ("end", "outcome", "reason"),
    [
        pytest.param(End(Outcome.FAILED, "NOT_ENOUGH_OVERLAP"), "Failed", "NOT_ENOUGH_OVERLAP", id="failed"),
        pytest.param(End(Outcome.CANCELLED, "CANCELLED"), "Cancelled", "CANCELLED", id="cancelled"),
        pytest.param(None, "Superseded", "", id="superseded"),
    ],
)
def test_an_incomplete_step_has_no_duration(end: End | None, outcome: str, reason: str, *, value: Value) -> None:
    observed = Observed()
    observed.reach(1, at=1.0)
    observed.end(end)

    assert value("attempts_total", model="photogrammetry", outcome=outcome, reason=reason) == 1
    assert value("step_seconds_count", model="photogrammetry", step="Loading input files") is None


def test_an_unknown_model_is_not_a_label(value: Value, monkeypatch: pytest.MonkeyPatch) -> None:
    configure(monkeypatch, RECONSTRUCTION_SIMULATE="never")
    with pytest.raises(Exception, match="made-up"):
        process_reconstruction("test123", "made-up")

    assert value("attempts_total", model="", outcome="Failed", reason="BACKEND_UNAVAILABLE") == 1


def test_steps_are_children_of_the_attempt_and_the_attempt_of_the_job() -> None:
    observed = Observed(str(tracing.of_job(UID)))
    for step, at in ((1, 1.0), (1, 2.0), (2, 3.0)):
        observed.reach(step, at=at)
    observed.end(End(Outcome.SUCCEEDED))

    *steps, attempt = observed.spans
    assert [span.name for span in steps] == ["Loading input files", "Preprocessing images"]
    assert (attempt.name, attempt.parent) == ("attempt", tracing.of_job(UID))
    assert {span.parent for span in steps} == {attempt.ids}
    assert {span.ids.trace_id for span in observed.spans} == {UID.replace("-", "")}
    assert {span.error for span in observed.spans} == {""}


def test_an_attempt_is_the_processing_of_a_message_and_follows_the_attempt_before_it() -> None:
    spans = []
    for attempt in (*(make_attempt(UID, number, queue="celery-high") for number in (1, 2, 3)), make_bare(UID)):
        observed = Observed(attempt=attempt)
        observed.end(None)
        spans += observed.spans
    first, second, third, bare = spans

    assert [list(span.links) for span in spans] == [[], [first.ids], [second.ids], []]
    assert {name: value for name, value in third.attributes.items() if name.startswith("messaging.")} == {
        "messaging.system": "redis",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.destination.name": "celery-high",
        "messaging.message.id": f"{UID}-3",
    }
    assert "messaging.destination.name" not in bare.attributes


def test_a_failure_is_reported_in_the_spans_of_its_step_and_attempt() -> None:
    observed = Observed()
    observed.reach(1, at=1.0)
    observed.reach(2, at=2.0)
    observed.end(End(Outcome.FAILED, "CORRUPT_IMAGE", "a.jpg cannot be read"))

    assert [span.error for span in observed.spans] == ["", *["CORRUPT_IMAGE: a.jpg cannot be read"] * 2]


def test_a_bare_message_continues_the_trace_of_its_header(monkeypatch: pytest.MonkeyPatch) -> None:
    with Collector() as collector:
        configure(monkeypatch, OTEL_EXPORTER_OTLP_ENDPOINT=collector.endpoint)
        process_reconstruction.apply(args=("test123", "placeholder"), headers={"traceparent": TRACEPARENT})
        tracing.flush(60)

    assert len(collector.spans) == 1 + len(STEPS)
    assert {span.trace_id for span in collector.spans} == {"4bf92f3577b34da6a3ce929d0e0e4736"}
    (attempt,) = [span for span in collector.spans if span.name == "attempt"]
    assert attempt.parent_id == "00f067aa0ba902b7"
