"""Events of a job's life; each is recorded once."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from reconstruction_operator.api.spec import Location
from reconstruction_operator.api.status import ReusedFrom, Status
from reconstruction_operator.contract.attempt import Findings
from reconstruction_operator.contract.outcomes import Outcome
from reconstruction_operator.contract.records import Claim, End, ProgressReport, Record
from reconstruction_operator.contract.steps import STEPS
from reconstruction_operator.planning.status.events import events
from reconstruction_operator.planning.types import Event, Observation, Plan

from tests.support.plans import NOW, in_record, look, observed

RECORD = Record(in_record(), NOW)
LISTENED = observed(record=RECORD, workers=1)
HELD = observed(LISTENED, claim=Claim("token", "worker-1", by_operator=False, at=NOW), alive=True)
CONFIRMED = {"cancel_requested": True, "cancel_confirmed": True}


def at_step(index: int) -> Observation:
    step = STEPS[index - 1]
    report = ProgressReport(step.percent - 5, step.name, index, index / 6, NOW, NOW)
    return observed(HELD, progress=report)


def ended(outcome: Outcome, reason: str = "", *, simulated: bool = False, warning: str = "") -> Observation:
    end = End(outcome, reason, "It ended.", NOW, "worker-1", simulated, Findings(warning=warning))
    return observed(HELD, alive=False, end=end)


def reasons(plan: Plan) -> list[str]:
    return [f"{event.reason}!" if event.type == "Warning" else event.reason for event in plan.events]


def after(*looks: tuple[Observation, dict[str, object]]) -> Status:
    """The status after that history."""
    status = Status()
    for seen, spec in looks:
        status = look(seen, status, admitted=True, **spec).status
    return status


def test_the_events_of_a_successful_job() -> None:
    status, life = Status(), []
    for seen in (LISTENED, HELD, *(at_step(index) for index in range(1, 7)), ended(Outcome.SUCCEEDED)):
        plan = look(seen, status, admitted=True)
        life.append(reasons(plan))
        status = plan.status

    assert life == [["Accepted", "Dispatched"], ["Started"], *[["StepStarted"]] * 6, ["Succeeded"]]


@pytest.mark.parametrize(
    ("history", "seen", "spec", "expected"),
    [
        pytest.param([], observed(), {}, ["Accepted", "Dispatched", "NoWorker!"], id="no-worker-listens"),
        pytest.param([], observed(), {"input": Location("s3://a/b")}, ["InvalidSpec!"],
            id="a-spec-that-is-not-accepted"),
        pytest.param([], observed(), {"suspend": True}, ["Accepted", "Suspended"], id="created-suspended"),
        pytest.param([(observed(), {"suspend": True})], observed(workers=1), {}, ["Resumed", "Dispatched"],
            id="resumed"),
        pytest.param([(LISTENED, {})], LISTENED, {"cancel_requested": True}, ["CancelRequested"], id="step-one"),
        pytest.param([(LISTENED, {"cancel_requested": True})], LISTENED, {}, ["CancelWithdrawn"], id="withdrawn"),
        pytest.param([(LISTENED, {"cancel_requested": True})], LISTENED, CONFIRMED, ["CancelConfirmed"], id="step-two"),
        pytest.param([(LISTENED, {})], LISTENED, CONFIRMED, ["CancelConfirmed"], id="both-steps-between-two-plans"),
        pytest.param([(HELD, CONFIRMED)], ended(Outcome.CANCELLED), CONFIRMED, ["Cancelled"], id="cancelled"),
        pytest.param([(HELD, {})], at_step(3), {}, ["StepStarted"] * 3, id="three-steps-between-two-plans"),
        pytest.param([(at_step(4), {})], ended(Outcome.SUCCEEDED), {}, ["StepStarted"] * 2 + ["Succeeded"],
            id="the-last-steps-between-two-plans"),
        pytest.param([(LISTENED, {})], ended(Outcome.SUCCEEDED), {}, ["Started", "Succeeded"],
            id="the-whole-run-between-two-plans"),
        pytest.param([(HELD, {})], ended(Outcome.SUCCEEDED, simulated=True), {}, ["Simulated!", "Succeeded"],
            id="simulated"),
        pytest.param([(HELD, {})], ended(Outcome.SUCCEEDED, warning="5 of 9"), {}, ["ResultWarning!", "Succeeded"],
            id="with-a-warning"),
        pytest.param([(HELD, {})], ended(Outcome.FAILED, "OUT_OF_MEMORY"), {}, ["AttemptFailed!"],
            id="a-failure-that-is-retried"),
        pytest.param([(HELD, {})], ended(Outcome.FAILED, "WORKER_LOST"), {}, ["WorkerLost!"], id="a-lost-worker"),
        pytest.param([(HELD, {})], ended(Outcome.FAILED, "TIMEOUT"), {}, ["Failed!"], id="failed"),
        pytest.param([(HELD, {})], ended(Outcome.STOPPED, "DRAINED"), {}, ["Restarted"], id="drained"),
        pytest.param([(HELD, {})], ended(Outcome.STOPPED, "SUSPENDED"), {"suspend": True}, ["Suspended"],
            id="suspended"),
        pytest.param([(HELD, {})], observed(epoch_age_seconds=1, workers=1), {}, ["RedisLost!"],
            id="redis-lost-its-data"),
        pytest.param([(HELD, {}), (observed(epoch_age_seconds=1), {})], HELD, {}, [], id="its-worker-registered-again"),
        pytest.param([(HELD, {})], observed(workers=1), {}, ["RedisLost!"], id="its-worker-did-not-register-again"),
    ],
)  # fmt: skip
def test_each_transition_has_its_events(
    history: list[tuple[Observation, dict[str, object]]],
    seen: Observation,
    spec: dict[str, object],
    expected: list[str],
) -> None:
    assert reasons(look(seen, after(*history), admitted=True, **spec)) == expected


def test_a_run_that_continues_from_a_stage_reports_it_once() -> None:
    seen = at_step(3)
    assert seen.progress is not None
    resumed = observed(seen, progress=replace(seen.progress, findings=Findings(resumed_from="matches of attempt 1")))
    status = after((HELD, {}))
    plan = look(resumed, status)
    assert reasons(plan) == ["ResumedFromStage", *["StepStarted"] * 3]
    assert plan.events[0].message == "Attempt 1 continues after stage matches of attempt 1"
    assert plan.status.progress is not None
    assert plan.status.progress.resumed_from == "matches of attempt 1"
    done = look(ended(Outcome.SUCCEEDED), plan.status)
    assert reasons(done) == [*["StepStarted"] * 3, "Succeeded"]
    assert done.status.progress is not None
    assert done.status.progress.resumed_from == "matches of attempt 1"


def test_the_end_of_a_run_without_progress_names_the_stage_it_continued_from() -> None:
    seen = ended(Outcome.SUCCEEDED)
    assert seen.redis.end is not None
    resumed = observed(seen, end=replace(seen.redis.end, findings=Findings(resumed_from="matches of attempt 1")))
    assert reasons(look(resumed, after((HELD, {})))) == ["ResumedFromStage", "Succeeded"]


def test_an_event_has_a_useful_message() -> None:
    status = after((at_step(2), {}))
    step = Event("Normal", "StepStarted", "Step 3 of 6: Running reconstruction")
    advice = "Use quality fast, a lower maxImageSize or fewer photos, or give the workers more memory."
    failure = Event("Warning", "AttemptFailed", f"Attempt 1: OUT_OF_MEMORY: It ended. {advice}")

    assert look(at_step(3), status).events == (step,)
    failed = ended(Outcome.FAILED, "OUT_OF_MEMORY")
    assert look(failed, status, at=NOW + timedelta(seconds=5)).events == (failure,)


@pytest.mark.parametrize(
    ("before", "spec", "text"),
    [
        (
            {},
            {"cancel_requested": True},
            "A cancel is requested by kubectl: confirm it or withdraw it; the job continues meanwhile",
        ),
        ({"cancel_requested": True}, {}, "The request for a cancel was withdrawn by kubectl"),
        ({"cancel_requested": True}, CONFIRMED, "The cancel is confirmed by kubectl, which is final"),
        (
            {},
            {"cancel_requested": True, "cancel_reason": "wrong photos"},
            "A cancel is requested by kubectl (wrong photos): confirm it or withdraw it; the job continues meanwhile",
        ),
        (
            {},
            {**CONFIRMED, "cancel_reason": "wrong photos"},
            "The cancel is confirmed by kubectl (wrong photos), which is final",
        ),
    ],
)
def test_the_events_of_a_cancel_name_the_client_and_the_reason(
    before: dict[str, bool], spec: dict[str, Any], text: str
) -> None:
    old = after((LISTENED, {}), (LISTENED, before))
    new = look(LISTENED, old, admitted=True, **spec).status
    reason = spec.get("cancel_reason", "")
    assert [event.message for event in events(old, new, "celery", "kubectl", reason)] == [text]


def test_a_job_that_takes_over_a_result_names_its_maker_and_no_steps() -> None:
    status = after((LISTENED, {}), (HELD, {}), (at_step(1), {}))
    source = ReusedFrom("uid-before", 2, NOW)
    plan = look(observed(ended(Outcome.SUCCEEDED), end=End(Outcome.SUCCEEDED, at=NOW, reused_from=source)), status)

    assert reasons(plan) == ["Reused", "Succeeded"]
    assert "attempt 2 of the job with uid uid-before made, complete at 2026-03-01T12:00:00Z," in plan.events[0].message
    assert plan.status.reused_from == source
    assert plan.status.message.startswith("Succeeded, with the result of an earlier job")
