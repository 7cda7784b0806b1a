"""Clean-up of finished jobs."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from reconstruction_operator.api.spec import Spec
from reconstruction_operator.api.status import Cancel, Condition, Failure, Outputs, Phase, Status
from reconstruction_operator.contract.outcomes import Outcome, StopReason
from reconstruction_operator.contract.records import Claim, End, Record
from reconstruction_operator.planning.actions import (
    AssertCancelled,
    ClearFlags,
    DeleteFiles,
    DeleteObject,
    EndAttempt,
    PutRecord,
    RequestStop,
    WithdrawRequest,
)
from reconstruction_operator.planning.rules.finished import next_plan
from reconstruction_operator.planning.types import Observation, Plan

from tests.support.jobs import make_job
from tests.support.plans import NOW, TASK, TIMING, in_record, job_with, look, observed, plan

ENDED = NOW - timedelta(seconds=60)
RECORD = Record(in_record(), NOW - timedelta(seconds=90))
CLAIM = Claim("token", "worker-1", by_operator=False, at=NOW - timedelta(seconds=80))
ENDS = {
    Phase.SUCCEEDED: End(Outcome.SUCCEEDED, at=ENDED, worker="worker-1"),
    Phase.FAILED: End(Outcome.FAILED, "TIMEOUT", at=ENDED, worker="worker-1"),
    Phase.CANCELLED: End(Outcome.CANCELLED, at=ENDED, worker="worker-1"),
}


def over(phase: Phase, **changes: object) -> Status:
    failure = Failure("TIMEOUT", "too long") if phase is Phase.FAILED else None
    status = Status(phase=phase, attempt=1, worker="worker-1", completion_time=ENDED, failure=failure)
    return replace(status, **changes)


def ended(phase: Phase) -> Observation:
    record = replace(RECORD, deleted=phase is Phase.CANCELLED)
    return observed(record=record, claim=CLAIM, end=ENDS[phase], workers=1)


@pytest.mark.parametrize("phase", list(ENDS))
def test_a_cleaned_up_job_has_no_actions_and_no_writes(phase: Phase) -> None:
    seen = over(phase, observed_generation=7)
    assert look(ended(phase), seen, generation=7, cancel_requested=True) == Plan(seen)


@pytest.mark.parametrize("phase", list(ENDS))
def test_a_later_edit_of_the_spec_only_updates_the_generation(phase: Phase) -> None:
    before = Condition("Finished", "True", str(phase), observed_generation=6)

    plan = look(ended(phase), over(phase, observed_generation=6, conditions=(before,)), generation=7)

    after = replace(before, observed_generation=7)
    assert plan == Plan(over(phase, observed_generation=7, conditions=(after,)))


@pytest.mark.parametrize(
    ("phase", "requested", "confirmed", "actions"),
    [
        pytest.param(Phase.SUCCEEDED, True, False, (ClearFlags(),), id="succeeded-with-a-request"),
        pytest.param(Phase.FAILED, False, True, (ClearFlags(),), id="failed-with-a-confirmation"),
        pytest.param(Phase.CANCELLED, False, True, (), id="a-cancels-own-flag-stays-for-late-duplicates"),
        pytest.param(Phase.CANCELLED, True, True, (WithdrawRequest(),), id="cancelled-with-a-request"),
    ],
)
def test_the_flags_of_a_finished_job_are_deleted(
    phase: Phase, requested: bool, confirmed: bool, actions: tuple[object, ...]
) -> None:
    seen = observed(ended(phase), requested=requested, confirmed=confirmed)

    assert look(seen, over(phase)).actions == actions


DONE = ended(Phase.SUCCEEDED)
OPERATORS_CLAIM = Claim("operator", "operator", by_operator=True, at=ENDED)
NOT_STARTED = observed(record=RECORD, claim=OPERATORS_CLAIM, end=End(Outcome.CANCELLED, at=ENDED), workers=0)
INVALID = Status(phase=Phase.FAILED, completion_time=ENDED, failure=Failure("INVALID_SPEC", "no"))


@pytest.mark.parametrize(
    ("seen", "status", "deleting", "actions"),
    [
        pytest.param(DONE, over(Phase.SUCCEEDED), False, (DeleteFiles("celery", expired=True, retain_seconds=0),),
            id="the-files-first"),
        pytest.param(observed(DONE, record=replace(RECORD, cleaned=True)), over(Phase.SUCCEEDED), False,
            (DeleteObject(),), id="then-the-object"),
        pytest.param(observed(DONE, record=replace(RECORD, cleaned=True)), over(Phase.SUCCEEDED), True, (),
            id="it-is-being-deleted"),
        pytest.param(observed(), INVALID, False, (DeleteObject(),), id="no-worker-started-the-job"),
        pytest.param(NOT_STARTED, over(Phase.CANCELLED, worker=None, dispatch_time=ENDED), False, (DeleteObject(),),
            id="no-attempt-started"),
    ],
)  # fmt: skip
def test_ttl_deletes_the_files_before_the_object(
    seen: Observation, status: Status, deleting: bool, actions: tuple[object, ...]
) -> None:
    assert look(seen, status, deleting=deleting, ttl_seconds_after_finished=60).actions == actions


def test_ttl_deletes_nothing_before_its_time() -> None:
    plan = look(ended(Phase.SUCCEEDED), over(Phase.SUCCEEDED), ttl_seconds_after_finished=61)

    assert (plan.actions, plan.wake_at) == ((), NOW + timedelta(seconds=1))


def test_an_object_that_survives_its_deletion_is_deleted_again() -> None:
    assert look(observed(), INVALID, ttl_seconds_after_finished=0).wake_at == NOW + timedelta(seconds=60)


@pytest.mark.parametrize(
    ("sent", "missing", "due"),
    [
        pytest.param(NOW - timedelta(seconds=90), False, True, id="only-the-attempts-own-message-was-sent"),
        pytest.param(NOW - timedelta(seconds=15), True, True, id="ordered-and-lost"),
        pytest.param(NOW - timedelta(seconds=50), False, False, id="the-order-waits"),
    ],
)
def test_an_order_to_delete_is_resent_only_if_it_was_lost(sent: datetime, missing: bool, due: bool) -> None:
    record = replace(RECORD, sent_at=sent, orders=int(sent > ENDED))
    seen = observed(ended(Phase.SUCCEEDED), record=record, workers=1, order_missing=missing)

    plan = look(seen, over(Phase.SUCCEEDED), ttl_seconds_after_finished=0)

    assert plan.actions == ((DeleteFiles("celery", expired=True, retain_seconds=0),) if due else ())
    assert plan.wake_at is not None


def test_files_of_a_cancelled_job_are_deleted_for_the_cancel_even_after_its_ttl() -> None:
    seen = observed(record=RECORD, claim=CLAIM, end=replace(ENDS[Phase.CANCELLED], files_left=True), workers=1)

    plan = look(seen, over(Phase.CANCELLED), ttl_seconds_after_finished=0)

    assert DeleteFiles("celery", expired=False, retain_seconds=0) in plan.actions


@pytest.mark.parametrize("phase", [Phase.SUCCEEDED, Phase.CANCELLED])
def test_an_order_to_delete_is_sent_to_the_queue_of_the_attempt(phase: Phase) -> None:
    """The spec's queue may be edited after the message was sent, and before the status shows it."""
    record = replace(RECORD, attempt=in_record(2, "gpu"))

    plan = look(observed(NOT_STARTED, record=record), over(phase, attempt=2), ttl_seconds_after_finished=0)

    assert [action.queue for action in plan.actions if isinstance(action, DeleteFiles)] == ["gpu"]


@pytest.mark.parametrize(
    ("confirmed", "left_seconds", "actions"),
    [
        pytest.param(False, None, (AssertCancelled(),), id="expired"),
        pytest.param(True, 1799, (AssertCancelled(),), id="half of it has passed"),
        pytest.param(True, 1801, (), id="it lasts"),
    ],
)
def test_the_flag_of_a_cancelled_job_is_renewed_until_its_files_are_deleted(
    confirmed: bool, left_seconds: float | None, actions: tuple[object, ...]
) -> None:
    """No worker consumes the queue for an hour; then one takes the order."""
    record = replace(RECORD, sent_at=NOW - timedelta(seconds=50), orders=1)
    end = End(Outcome.FAILED, "WORKER_LOST", at=ENDED)
    seen = observed(record=record, end=end, workers=0)
    seen = observed(seen, confirmed=confirmed, flag_ttl_seconds=left_seconds)

    assert look(seen, over(Phase.CANCELLED, dispatch_time=ENDED)).actions == actions
    assert (
        look(observed(seen, record=replace(RECORD, cleaned=True)), over(Phase.CANCELLED, dispatch_time=ENDED)).actions
        == ()
    )


CANCELLED = over(Phase.CANCELLED, dispatch_time=ENDED)
UNSTARTED = replace(CANCELLED, worker=None)  # by any worker that is known: one may have run it while no operator ran
OBEYED = observed(ended(Phase.CANCELLED), silent_seconds=3600.0)
UNDELETED = observed(OBEYED, record=RECORD)
LEFT = observed(UNDELETED, end=replace(ENDS[Phase.CANCELLED], files_left=True))
AGED = observed(record=replace(RECORD, sent_at=NOW - timedelta(days=15)), workers=1)  # all else has expired
FLAG = AssertCancelled()
ORDER = DeleteFiles("celery", retain_seconds=0)


@pytest.mark.parametrize(
    ("status", "seen", "actions"),
    [
        pytest.param(CANCELLED, OBEYED, set(), id="its-worker-has-deleted-them"),
        pytest.param(CANCELLED, LEFT, {FLAG, ORDER}, id="its-worker-could-not"),
        pytest.param(CANCELLED, observed(LEFT, record=replace(RECORD, cleaned=True)), set(), id="another-could"),
        pytest.param(UNSTARTED, NOT_STARTED, {FLAG, ORDER}, id="the-operator-ended-the-attempt"),
        pytest.param(UNSTARTED, observed(NOT_STARTED, confirmed=True, flag_ttl_seconds=3600), {ORDER},
            id="and-the-flag-is-set"),
        pytest.param(replace(UNSTARTED, dispatch_time=None), NOT_STARTED, {FLAG, ORDER},
            id="the-status-shows-no-message-but-there-is-a-record"),
        pytest.param(replace(UNSTARTED, dispatch_time=None), observed(NOT_STARTED, record=None), set(),
            id="no-message-was-sent"),
        pytest.param(UNSTARTED, observed(NOT_STARTED, record=replace(RECORD, cleaned=True)), set(),
            id="and-a-worker-has-deleted-them"),
        pytest.param(replace(UNSTARTED, attempt=2), observed(NOT_STARTED, record=replace(RECORD, attempt=in_record(2))),
            {FLAG, ORDER}, id="the-operator-ended-the-second-attempt"),
        pytest.param(CANCELLED, observed(UNDELETED, end=End(Outcome.SUCCEEDED, at=NOW, worker="worker-2")),
            {FLAG, ORDER}, id="another-run-ended"),
        pytest.param(CANCELLED, observed(UNDELETED, end=End(Outcome.STOPPED, "SUPERSEDED", at=NOW, worker="worker-2")),
            {FLAG, ORDER}, id="or-was-stopped"),
        pytest.param(CANCELLED, observed(UNDELETED, end=None), {FLAG, ORDER}, id="its-end-is-lost-and-its-worker-too"),
        pytest.param(CANCELLED, observed(UNDELETED, end=None, alive=True), set(), id="another-run-will-end"),
        pytest.param(CANCELLED, observed(UNDELETED, end=None, claim=None, epoch_age_seconds=1), {FLAG},
            id="redis-is-young"),
        pytest.param(CANCELLED, observed(AGED, record=replace(RECORD, cleaned=True)), set(),
            id="deleted-weeks-ago-as-ordered"),
        pytest.param(CANCELLED, observed(AGED, record=replace(RECORD, deleted=True)), set(),
            id="deleted-weeks-ago-by-its-run"),
        pytest.param(CANCELLED, AGED, {FLAG, ORDER}, id="never-deleted"),
    ],
)  # fmt: skip
def test_files_of_a_cancelled_job_are_deleted_unless_they_are_or_will_be(
    status: Status, seen: Observation, actions: set[object]
) -> None:
    assert {FLAG, ORDER} & set(look(seen, status).actions) == actions


RESTORED = EndAttempt(TASK, Outcome.FAILED, "TIMEOUT", "The job had finished before Redis lost it.")
RUNS = observed(record=RECORD, claim=CLAIM, alive=True)


@pytest.mark.parametrize(
    ("seen", "status", "actions"),
    [
        pytest.param(observed(workers=1), over(Phase.FAILED), (RESTORED, PutRecord(TASK)), id="end-and-record"),
        pytest.param(observed(record=RECORD, workers=1), over(Phase.FAILED), (RESTORED,), id="the-end-alone"),
        pytest.param(observed(epoch_age_seconds=1), over(Phase.SUCCEEDED), (), id="within-the-grace-period"),
        pytest.param(observed(ended(Phase.CANCELLED), record=None), over(Phase.CANCELLED, worker=None), (),
            id="it-was-never-sent"),
        pytest.param(RUNS, over(Phase.FAILED), (RequestStop(TASK, StopReason.SUPERSEDED),), id="it-runs-after-all"),
    ],
)  # fmt: skip
def test_what_redis_lost_of_a_finished_job_is_restored(
    seen: Observation, status: Status, actions: tuple[object, ...]
) -> None:
    assert look(seen, status).actions == actions


def test_what_redis_lost_of_a_cancelled_job_is_restored_after_its_flag() -> None:
    """With the record back, an old order may be carried out at once, and the flag makes the worker
    delete copies too.
    """
    restored = EndAttempt(TASK, Outcome.CANCELLED, "CANCELLED", RESTORED.message)

    assert look(observed(workers=1), CANCELLED).actions == (FLAG, restored, PutRecord(TASK), ORDER)


_TTL = 3_600.0


@pytest.mark.parametrize(
    ("spec", "status", "planned_at"),
    [
        pytest.param(Spec(), {}, None, id="nothing-is-left"),
        pytest.param(Spec(), {"observed_generation": 0}, NOW, id="the-spec-was-edited"),
        pytest.param(Spec(), {"phase": Phase.CANCELLED}, NOW, id="files-may-be-left"),
        pytest.param(Spec(), {"phase": Phase.CANCELLED, "worker": None}, None, id="cancelled-before-it-was-sent"),
        pytest.param(Spec(cancel_requested=True), {}, NOW, id="a-flag-may-be-left"),
        pytest.param(Spec(), {"cancel": Cancel()}, NOW, id="a-flag-of-a-withdrawn-request-may-be-left"),
        pytest.param(
            Spec(cancel_requested=True), {"completion_time": NOW - timedelta(hours=2)}, None, id="the-flag-has-expired"
        ),
        pytest.param(Spec(ttl_seconds_after_finished=90), {}, NOW + timedelta(seconds=30), id="its-time-has-not-come"),
        pytest.param(Spec(ttl_seconds_after_finished=5), {}, NOW - timedelta(seconds=55), id="its-time-has-passed"),
        pytest.param(Spec(ttl_seconds_after_finished=5, managed_by="example.com/x"), {}, None, id="not-ours"),
    ],
)
def test_when_a_finished_job_needs_a_plan(spec: Spec, status: dict[str, object], planned_at: datetime | None) -> None:
    job = make_job(replace(over(Phase.SUCCEEDED, observed_generation=1), **status), spec=spec)
    assert next_plan(job, NOW, _TTL) == planned_at


def test_older_data_without_a_cancel_gets_its_flag_and_a_plan_after_the_grace() -> None:
    plan = look(
        observed(record=RECORD, epoch_age_seconds=1),
        over(Phase.CANCELLED),
        cancel_requested=True,
        cancel_confirmed=True,
    )

    assert plan.actions == (AssertCancelled(),)
    assert plan.wake_at is not None


def test_the_order_at_the_end_of_the_time_to_live_holds_the_retention() -> None:
    timing = replace(TIMING, deletion_policy="Retain", retain_seconds_after_deletion=3600)
    job = job_with(over(Phase.SUCCEEDED), ttl_seconds_after_finished=0)

    assert plan(job, ended(Phase.SUCCEEDED), NOW, timing, admitted=False).actions == (
        DeleteFiles("celery", expired=True, retain_seconds=3600),
    )


LOST = over(Phase.FAILED, failure=Failure("WORKER_LOST", "silent"))
FORCED = End(Outcome.FAILED, "WORKER_LOST", at=ENDED)


@pytest.mark.parametrize(
    ("status", "changes", "ordered"),
    [
        pytest.param(LOST, {}, True, id="lost"),
        pytest.param(replace(LOST, failure=Failure("TIMEOUT", "late"), attempt=2, worker=None), {}, True, id="timeout"),
        pytest.param(LOST, {"end": ENDS[Phase.FAILED]}, False, id="the-worker-has-cleaned-up"),
        pytest.param(LOST, {"record": replace(RECORD, cleaned=True)}, False, id="done"),
        pytest.param(LOST, {"record": replace(RECORD, deleted=True)}, False, id="done-before-redis-lost-the-end"),
        pytest.param(replace(LOST, worker=None), {}, False, id="never-begun"),
        pytest.param(replace(LOST, outputs=Outputs("/jobs/1/output", 1, ())), {}, False, id="with-a-result"),
        pytest.param(replace(LOST, failure=Failure("CORRUPT_IMAGE", "")), {}, False, id="another-failure"),
    ],
)
def test_what_a_lost_last_attempt_left_is_deleted(status: Status, changes: dict[str, object], ordered: bool) -> None:
    seen = observed(ended(Phase.FAILED), **{"end": FORCED, **changes})
    actions = look(seen, status).actions
    assert [type(action) for action in actions] == ([DeleteFiles] if ordered else [])


def test_a_lost_job_is_planned_again_for_a_while_after_a_restart() -> None:
    job = make_job(replace(LOST, observed_generation=1))
    assert next_plan(job, NOW, _TTL) == NOW
    assert next_plan(job, ENDED + timedelta(seconds=_TTL + 1), _TTL) is None
