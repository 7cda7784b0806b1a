"""Instruments: metrics and traces of stored statuses."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from reconstruction_operator.api.attempt_status import Leg, Progress
from reconstruction_operator.api.status import Cancel, Failure, Phase, Status
from reconstruction_operator.api.verdict import Verdict
from reconstruction_operator.controller import instruments
from reconstruction_operator.telemetry import metrics
from reconstruction_operator.telemetry.spans import Span

from tests.support.jobs import NOON, make_job


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def sample(name: str, **labels: str) -> float:
    return metrics.REGISTRY.get_sample_value(name, labels) or 0.0


RUNNING = Status(phase=Phase.RUNNING, attempt=2, start_time=NOON, worker="w1", dispatch_time=NOON)


@pytest.mark.parametrize(
    ("phase", "failure", "reason", "cancel_seconds"),
    [
        pytest.param(Phase.SUCCEEDED, Failure("WORKER_LOST", "of an earlier attempt"), "", 0, id="succeeded"),
        pytest.param(Phase.FAILED, Failure("TIMEOUT", "late"), "TIMEOUT", 0, id="failed"),
        pytest.param(Phase.CANCELLED, None, "", 2, id="cancelled: from confirmation to acknowledgement"),
    ],
)
def test_an_end_is_counted_once_with_its_reason(
    phase: Phase, failure: Failure | None, reason: str, cancel_seconds: int
) -> None:
    cancel = Cancel(requested_at=NOON, confirmed_at=after(10), acknowledged_at=after(12)) if cancel_seconds else None
    ended = replace(
        RUNNING, phase=phase, verdict=Verdict.WARNING, completion_time=after(90), failure=failure, cancel=cancel
    )

    def samples() -> list[float]:
        return [
            sample("reconstruction_jobs_finished_total", outcome=phase.value, reason=reason, verdict="Warning"),
            sample("reconstruction_run_seconds_sum", outcome=phase.value),
            sample("reconstruction_cancel_seconds_sum"),
        ]

    before = samples()
    instruments.measure(make_job(RUNNING), ended)
    instruments.measure(make_job(ended), ended)

    assert [now - then for now, then in zip(samples(), before, strict=True)] == [1, 90, cancel_seconds]


QUEUED = replace(RUNNING, phase=Phase.QUEUED, worker=None, start_time=None)
FIRST = replace(RUNNING, attempt=1, start_time=after(7))


@pytest.mark.parametrize(
    "statuses",
    [
        pytest.param((QUEUED, RUNNING, replace(RUNNING, progress=Progress(last_update_time=after(7)))), id="reported"),
        pytest.param((replace(QUEUED, attempt=1), FIRST), id="the first attempt, before its first report"),
        pytest.param(
            (replace(QUEUED, attempt=1), FIRST, replace(FIRST, progress=Progress(last_update_time=after(30)))),
            id="the first attempt, which reports later",
        ),
        pytest.param(
            (replace(QUEUED, attempt=1), FIRST, replace(FIRST, worker=None, leg=Leg(1, "gpu")), FIRST),
            id="the first attempt, whose next leg waits",
        ),
        pytest.param(
            (
                replace(QUEUED, progress=Progress(last_update_time=after(-60))),
                replace(RUNNING, progress=Progress(last_update_time=after(-60))),
                replace(RUNNING, progress=Progress(last_update_time=after(7))),
                replace(RUNNING, progress=Progress(last_update_time=after(9))),
            ),
            id="another attempt, with the last one's progress",
        ),
    ],
)
def test_the_wait_in_the_queue_ends_when_a_worker_begins(statuses: tuple[Status, ...]) -> None:
    of, by = "reconstruction_queue_wait_seconds", {"queue": metrics.QUEUES.label("celery")}
    before = sample(f"{of}_sum", **by)
    times = sample(f"{of}_count", **by)

    for old, new in pairwise(statuses):
        instruments.measure(make_job(old), new)

    assert (sample(f"{of}_sum", **by), sample(f"{of}_count", **by)) == (before + 7, times + 1)


WAITING = Status(phase=Phase.QUEUED, attempt=1, dispatch_time=NOON)
CLAIMED = replace(WAITING, phase=Phase.RUNNING, worker="cpu@a", start_time=after(2))
REPORTED = replace(CLAIMED, progress=Progress(percent=0, last_update_time=after(3)))
BETWEEN = replace(REPORTED, phase=Phase.QUEUED, worker=None, leg=Leg(1, "gpu", "depth"))


def spans(*statuses: Status) -> list[str]:
    emitted: list[Span] = []
    for before, now in pairwise((Status(), *statuses)):
        instruments.trace(make_job(before), now, emitted.append)
    return [span.name for span in emitted]


@pytest.mark.parametrize(
    ("statuses", "waits"),
    [
        pytest.param((WAITING, REPORTED), 1, id="the worker is named with its first progress"),
        pytest.param((WAITING, CLAIMED, REPORTED), 1, id="the worker is named before its first progress"),
        pytest.param((WAITING, REPORTED, replace(REPORTED, attempt=2)), 2, id="two attempts"),
        pytest.param((WAITING, REPORTED, BETWEEN, replace(REPORTED, leg=BETWEEN.leg)), 1, id="two legs of one attempt"),
    ],
)
def test_the_wait_of_each_attempt_is_traced_once(statuses: tuple[Status, ...], waits: int) -> None:
    assert spans(*statuses, replace(statuses[-1], message="more")) == ["wait for a worker"] * waits
