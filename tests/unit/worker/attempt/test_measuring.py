"""What the metrics learn from an attempt, run in this process with an open relay."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
from reconstruction_operator.api.status import Inputs, Outputs
from reconstruction_operator.contract.outcomes import Outcome
from reconstruction_operator.contract.records import End
from reconstruction_operator.contract.steps import STEPS
from reconstruction_operator.tasks.reconstruction import process_reconstruction
from reconstruction_operator.telemetry import relay
from reconstruction_operator.telemetry import worker_metrics as metrics
from reconstruction_operator.telemetry.relay import Relay
from reconstruction_operator.worker.attempt.measuring import Measures

from tests.support.settings import configure

Value = Callable[..., float | None]

_LABELLED = (
    metrics.ATTEMPTS,
    metrics.ATTEMPT_TIME,
    metrics.STEP_TIME,
    metrics.IMAGES,
    metrics.INPUT,
    metrics.OUTPUT,
    metrics.PEAK_MEMORY,
    metrics.HIGHEST_MEMORY,
)


@pytest.fixture
def value() -> Iterator[Value]:
    """Reads a sample; what was sent before has arrived by then."""
    for metric in _LABELLED:
        metric.clear()
    one = Relay()
    relay.install(one)
    one.start()

    def read(name: str, **labels: str) -> float | None:
        one.close()
        return metrics.REGISTRY.get_sample_value(f"reconstruction_worker_{name}", labels)

    yield read
    relay.install(None)
    for metric in _LABELLED:
        metric.clear()


class Clock:
    """Shows the seconds that it was given, one after the other."""

    def __init__(self, *seconds: float) -> None:
        self._seconds = iter(seconds)

    def __call__(self) -> float:
        return next(self._seconds)


def test_a_step_is_measured_when_the_next_begins_and_the_last_when_the_job_succeeds(value: Value) -> None:
    measures = Measures("photogrammetry", monotonic=Clock(100.0, 101.0, 111.0, 111.0, 131.0, 131.0))
    for step in (STEPS[0], STEPS[0], STEPS[1]):
        measures.reached(step)
    measures.ended(End(Outcome.SUCCEEDED, outputs=Outputs("file:///x", 5_000)))

    assert value("step_seconds_sum", model="photogrammetry", step="Loading input files") == 10.0
    assert value("step_seconds_sum", model="photogrammetry", step="Preprocessing images") == 20.0
    assert value("output_bytes_total", model="photogrammetry") == 5_000
    assert value("attempt_seconds_sum", model="photogrammetry", outcome="Succeeded") == 31.0


@pytest.mark.parametrize(
    ("end", "outcome", "reason"),
    [
        pytest.param(End(Outcome.FAILED, "NOT_ENOUGH_OVERLAP"), "Failed", "NOT_ENOUGH_OVERLAP", id="failed"),
        pytest.param(End(Outcome.CANCELLED, "CANCELLED"), "Cancelled", "CANCELLED", id="cancelled"),
        pytest.param(None, "Overtaken", "", id="somebody else's"),
    ],
)
def test_a_step_that_was_not_completed_has_no_duration(
    end: End | None, outcome: str, reason: str, value: Value
) -> None:
    measures = Measures("photogrammetry")
    measures.reached(STEPS[0])
    measures.ended(end)

    assert value("attempts_total", model="photogrammetry", outcome=outcome, reason=reason) == 1
    assert value("step_seconds_count", model="photogrammetry", step="Loading input files") is None


def test_photos_and_memory_are_counted(value: Value) -> None:
    measures = Measures("photogrammetry")
    measures.read(Inputs(images=16, bytes=4_000_000))
    measures.used(2 << 30)

    assert value("images_total", model="photogrammetry") == 16
    assert value("input_bytes_total", model="photogrammetry") == 4_000_000
    assert value("model_peak_memory_bytes_sum", model="photogrammetry") == 2 << 30
    assert value("model_highest_memory_bytes", model="photogrammetry") == 2 << 30


def test_a_job_that_ran_has_its_six_steps_and_one_attempt(client: redis.Redis, jobs_dir: Path, value: Value) -> None:
    process_reconstruction("test123", "placeholder")

    assert value("attempts_total", model="placeholder", outcome="Succeeded", reason="") == 1
    for step in STEPS:
        assert value("step_seconds_count", model="placeholder", step=step.name) == 1


def test_a_model_that_nobody_knows_is_not_a_label(
    client: redis.Redis, jobs_dir: Path, value: Value, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(monkeypatch, RECONSTRUCTION_SIMULATE="never")
    with pytest.raises(Exception, match="made-up"):
        process_reconstruction("test123", "made-up")

    assert value("attempts_total", model="", outcome="Failed", reason="BACKEND_UNAVAILABLE") == 1
