"""End of an attempt: what follows from it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from reconstruction_operator.api.attempt_status import Inputs, Progress, StepTime
from reconstruction_operator.api.status import Cancel, Failure, OutputFile, Outputs, Phase, Status
from reconstruction_operator.api.verdict import Verdict
from reconstruction_operator.contract.attempt import Findings
from reconstruction_operator.contract.outcomes import Outcome
from reconstruction_operator.contract.records import Claim, End, Record
from reconstruction_operator.planning.types import Observation

from tests.support.plans import MARK, NOW, in_record, look, observed

ENDED = NOW - timedelta(seconds=2)
SENT = NOW - timedelta(minutes=2)
CLAIM = Claim("token", "worker-1", by_operator=False, at=NOW - timedelta(minutes=1))
OTHERS_CLAIM = Claim("operator", "operator", by_operator=True, at=ENDED)
RUNNING = Status(
    phase=Phase.RUNNING,
    attempt=1,
    task_id="uid-1",
    worker="worker-1",
    dispatch_time=SENT,
    start_time=NOW - timedelta(minutes=1),
    progress=Progress(60, "Post-processing mesh", 4, 6, 20, "20s", "60%", ENDED),
    inputs=Inputs(3, 30),
    steps=(StepTime("Loading input files", 2),),
)


def seen(outcome: Outcome, reason: str = "", message: str = "", attempt: int = 1) -> Observation:
    end = End(outcome, reason, message, at=ENDED + timedelta(milliseconds=400), worker="worker-1")
    return observed(record=Record(in_record(attempt), SENT), claim=CLAIM, end=end)


def test_a_success_reports_its_details() -> None:
    outputs = Outputs("/jobs/uid/output", 10, (OutputFile("model.glb", 10),))
    success = seen(Outcome.SUCCEEDED)
    assert success.redis.end is not None
    findings = Findings(Inputs(29, 5), quality={"registered": "28", "images": "29"}, size="1.2 x 0.8 x 0.4 m")
    end = replace(success.redis.end, simulated=False, outputs=outputs, findings=findings)

    status = look(observed(success, end=end), replace(RUNNING, failure=Failure("WORKER_LOST"), failures=1)).status

    assert replace(status, conditions=()) == Status(
        observed_generation=1,
        installation=MARK,
        phase=Phase.SUCCEEDED,
        time_detail="took 58s",
        attempt=1,
        failures=1,
        task_id="uid-1",
        worker="worker-1",
        simulated=False,
        verdict=Verdict.FINE,
        message="Succeeded: a mesh of 28 of 29 photos, 1.2 x 0.8 x 0.4 m",
        dispatch_time=SENT,
        start_time=NOW - timedelta(minutes=1),
        completion_time=ENDED,
        progress=Progress(100, "", 6, 6, None, "", "100%", NOW),
        inputs=Inputs(29, 5),
        steps=RUNNING.steps,
        outputs=outputs,
        quality={"registered": "28", "images": "29"},
        size="1.2 x 0.8 x 0.4 m",
    )


@pytest.mark.parametrize(
    ("end", "failures", "spec", "expected"),
    [
        pytest.param((Outcome.SUCCEEDED, ""), 0, {}, (Phase.SUCCEEDED, 1, 0), id="success"),
        pytest.param((Outcome.CANCELLED, "CANCELLED"), 0, {}, (Phase.CANCELLED, 1, 0), id="cancelled-by-hand-in-redis"),
        pytest.param((Outcome.FAILED, "OUT_OF_MEMORY"), 0, {}, (Phase.PENDING, 2, 1), id="a-retriable-failure"),
        pytest.param((Outcome.FAILED, "OUT_OF_MEMORY"), 2, {}, (Phase.FAILED, 1, 3), id="the-last-retriable-failure"),
        pytest.param((Outcome.FAILED, "OUT_OF_MEMORY"), 0, {"backoff_limit": 0}, (Phase.FAILED, 1, 1), id="no-retries"),
        pytest.param((Outcome.FAILED, "TOO_FEW_IMAGES"), 0, {}, (Phase.FAILED, 1, 1), id="a-failure-of-the-photos"),
        pytest.param((Outcome.FAILED, "TIMEOUT"), 0, {}, (Phase.FAILED, 1, 1), id="the-deadline"),
        pytest.param((Outcome.STOPPED, "TIMEOUT"), 0, {}, (Phase.FAILED, 1, 1), id="stopped-by-the-deadline"),
        pytest.param((Outcome.FAILED, ""), 0, {}, (Phase.PENDING, 2, 1), id="a-failure-without-a-reason"),
        pytest.param((Outcome.FAILED, "FROM_THE_FUTURE"), 0, {}, (Phase.PENDING, 2, 1), id="a-newer-workers-reason"),
        pytest.param((Outcome.FAILED, "WORKER_LOST"), 0, {}, (Phase.PENDING, 2, 1), id="a-lost-worker"),
        pytest.param((Outcome.STOPPED, "DRAINED"), 2, {}, (Phase.PENDING, 2, 2), id="drained"),
        pytest.param((Outcome.STOPPED, "WORKER_EXHAUSTED"), 2, {}, (Phase.PENDING, 2, 2), id="an-exhausted-worker"),
        pytest.param((Outcome.STOPPED, "REDIS_LOST"), 0, {"backoff_limit": 0}, (Phase.PENDING, 2, 0),
            id="redis-lost-it"),
        pytest.param((Outcome.STOPPED, "SUPERSEDED"), 0, {}, (Phase.PENDING, 2, 0), id="superseded"),
        pytest.param((Outcome.STOPPED, "DELETED"), 0, {}, (Phase.PENDING, 2, 0), id="taken-for-deleted"),
        pytest.param((Outcome.STOPPED, "SUSPENDED"), 0, {}, (Phase.PENDING, 2, 0), id="suspended-and-resumed-at-once"),
        pytest.param((Outcome.STOPPED, "SUSPENDED"), 0, {"suspend": True}, (Phase.SUSPENDED, 1, 0), id="suspended"),
        pytest.param((Outcome.STOPPED, "DRAINED"), 0, {"suspend": True}, (Phase.SUSPENDED, 1, 0),
            id="drained-while-suspending"),
        pytest.param((Outcome.FAILED, "WORKER_LOST"), 0, {"suspend": True}, (Phase.SUSPENDED, 1, 1),
            id="lost-while-suspending"),
        pytest.param((Outcome.FAILED, "WORKER_LOST"), 2, {"suspend": True}, (Phase.FAILED, 1, 3),
            id="lost-once-too-often-while-suspending"),
        pytest.param((Outcome.SUCCEEDED, ""), 0, {"suspend": True}, (Phase.SUCCEEDED, 1, 0),
            id="done-while-suspending"),
    ],
)  # fmt: skip
def test_what_follows_from_each_end(
    end: tuple[Outcome, str], failures: int, spec: dict[str, object], expected: tuple[Phase, int, int]
) -> None:
    plan = look(seen(*end), replace(RUNNING, failures=failures), **spec)

    assert (plan.status.phase, plan.status.attempt, plan.status.failures) == expected
    assert plan.actions == ()


def test_a_job_whose_copy_was_refused_names_its_result() -> None:
    outputs = Outputs("file:///jobs/job/output", 7, (OutputFile("model.glb", 7),))
    failed = seen(Outcome.FAILED, "OUTPUT_REFUSED")
    assert failed.redis.end is not None
    end = replace(
        failed.redis.end, simulated=True, outputs=outputs, findings=Findings(quality={"faces": "12"}, warning="small")
    )

    status = look(observed(failed, end=end), RUNNING).status

    assert (status.phase, status.outputs, status.quality) == (Phase.FAILED, outputs, {"faces": "12"})
    assert status.simulated is True
    assert status.warning == ""
    assert status.progress is not None
    assert (status.progress.step, status.progress.eta) == ("", "")


@pytest.mark.parametrize(
    ("end", "phase"),
    [
        pytest.param((Outcome.SUCCEEDED, ""), Phase.SUCCEEDED, id="it-had-succeeded"),
        pytest.param((Outcome.FAILED, "TOO_FEW_IMAGES"), Phase.FAILED, id="it-had-failed"),
        pytest.param((Outcome.FAILED, "WORKER_LOST"), Phase.CANCELLED, id="it-would-be-retried"),
        pytest.param((Outcome.STOPPED, "DRAINED"), Phase.CANCELLED, id="it-was-drained"),
        pytest.param((Outcome.STOPPED, "SUSPENDED"), Phase.CANCELLED, id="it-was-suspended"),
        pytest.param((Outcome.CANCELLED, "CANCELLED"), Phase.CANCELLED, id="the-worker-obeyed"),
    ],
)
def test_a_recorded_final_end_wins_over_a_confirmed_cancel(end: tuple[Outcome, str], phase: Phase) -> None:
    plan = look(seen(*end), RUNNING, cancel_requested=True, cancel_confirmed=True, suspend=True)

    assert plan.status.phase is phase
    assert plan.status.completion_time is not None
    assert plan.actions == ()


def test_a_cancel_is_acknowledged_at_the_time_of_its_end() -> None:
    before = replace(RUNNING, cancel=Cancel(NOW - timedelta(seconds=9), NOW - timedelta(seconds=5)))

    status = look(seen(Outcome.CANCELLED), before, cancel_requested=True, cancel_confirmed=True).status

    assert status.cancel == Cancel(NOW - timedelta(seconds=9), NOW - timedelta(seconds=5), ENDED)
    assert status.progress is not None
    assert (status.progress.percent, status.progress.eta_seconds) == (60, None)


def test_a_cancel_that_ended_before_it_was_stored_was_confirmed_by_then() -> None:
    status = look(seen(Outcome.CANCELLED), RUNNING, cancel_requested=True, cancel_confirmed=True).status

    assert status.cancel == Cancel(ENDED, ENDED, ENDED)


@pytest.mark.parametrize(("attempt", "words"), [(1, "Failed: "), (3, "Failed after 3 attempts: ")])
def test_the_message_of_a_failure_has_its_reason_and_the_attempts(attempt: int, words: str) -> None:
    end = seen(Outcome.FAILED, "NOT_ENOUGH_OVERLAP", "3 of 29 photos overlap")

    status = look(end, replace(RUNNING, attempt=attempt)).status

    assert status.failure is not None
    assert status.failure.message.startswith("3 of 29 photos overlap. Take more photos")
    assert status.message == f"{words}NOT_ENOUGH_OVERLAP: {status.failure.message}"


def test_the_next_attempt_is_written_ahead_with_its_time() -> None:
    running = replace(RUNNING, quality={"registered": "20"})

    status = look(seen(Outcome.FAILED, "OUT_OF_MEMORY", "killed"), running).status

    assert replace(status, conditions=(), failure=None) == Status(
        observed_generation=1,
        installation=MARK,
        phase=Phase.PENDING,
        reason="after OUT_OF_MEMORY",
        attempt=2,
        failures=1,
        next_attempt_time=NOW + timedelta(seconds=10),
        task_id="uid-2",
        verdict=Verdict.WARNING,
        message="Attempt 2 of at most 3 starts at 2026-03-01T12:00:10Z after OUT_OF_MEMORY",
        start_time=NOW - timedelta(minutes=1),
        inputs=Inputs(3, 30),
    )


def test_a_lost_worker_is_retried_without_backoff() -> None:
    assert look(seen(Outcome.FAILED, "WORKER_LOST"), RUNNING).status.next_attempt_time is None


@pytest.mark.parametrize(
    ("spec", "phase"), [({}, Phase.QUEUED), ({"cancel_requested": True, "cancel_confirmed": True}, Phase.CANCELLING)]
)
def test_the_end_of_a_superseded_attempt_leads_to_the_recorded_attempt(spec: dict[str, bool], phase: Phase) -> None:
    plan = look(seen(Outcome.FAILED, "TOO_FEW_IMAGES", attempt=2), RUNNING, **spec)

    assert (plan.status.phase, plan.status.attempt, plan.status.failures) == (phase, 2, 1)


def test_an_end_by_the_operator_without_a_worker_starts_nothing() -> None:
    end = End(Outcome.FAILED, "QUEUE_TIMEOUT", "No worker began within 60 s.", at=ENDED)

    status = look(observed(claim=OTHERS_CLAIM, end=end), Status(phase=Phase.QUEUED, attempt=1)).status

    assert (status.phase, status.worker, status.start_time) == (Phase.FAILED, None, None)
