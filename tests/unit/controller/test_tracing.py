"""The operator's spans, from the statuses that were stored."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from reconstruction_operator.api.status import Phase, Progress, Status
from reconstruction_operator.controller import tracing
from reconstruction_operator.telemetry.tracing import Span

from tests.support.jobs import make_job

SENT = datetime(2026, 1, 1, tzinfo=UTC)
QUEUED = Status(phase=Phase.QUEUED, attempt=1, dispatch_time=SENT)
CLAIMED = replace(QUEUED, phase=Phase.RUNNING, worker="cpu@a", start_time=SENT + timedelta(seconds=2))
REPORTED = replace(CLAIMED, progress=Progress(percent=0, last_update_time=SENT + timedelta(seconds=3)))


def names(*statuses: Status) -> list[str]:
    emitted: list[Span] = []
    for before, after in zip((Status(), *statuses), statuses, strict=False):
        tracing.stored(make_job(before), after, emitted.append)
    return [span.name for span in emitted]


def test_a_wait_is_told_once_also_if_the_worker_was_known_before_its_first_progress() -> None:
    once = ["wait for a worker"]

    assert names(QUEUED, REPORTED, replace(REPORTED, message="more")) == once
    assert names(QUEUED, CLAIMED, REPORTED, replace(REPORTED, message="more")) == once


def test_another_attempt_waits_again() -> None:
    again = replace(REPORTED, attempt=2)

    assert names(QUEUED, REPORTED, again) == ["wait for a worker"] * 2
