"""Orphaned records: their object is deleted."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from reconstruction_operator.api.identity import AttemptRef
from reconstruction_operator.api.status import Status
from reconstruction_operator.contract.outcomes import Outcome, StopReason
from reconstruction_operator.contract.records import Claim, End, Record
from reconstruction_operator.planning.actions import (
    Action,
    AssertCancelled,
    ClearFlags,
    DeleteFiles,
    EndAttempt,
    Forget,
    RequestStop,
    TakeBack,
)
from reconstruction_operator.planning.rules.orphans import plan_contested, plan_orphan, sort_folders
from reconstruction_operator.planning.types import Job, Observation

from tests.support.plans import NOW, QUEUED, TIMING, in_record, job_with, observed
from tests.support.refs import make_attempt

TASK = in_record(2, "gpu")
RECORD = Record(TASK, NOW - timedelta(seconds=90))
CLAIM = Claim("token", "worker-1", by_operator=False, at=NOW - timedelta(seconds=80))
HELD = observed(claim=CLAIM, alive=True)
STOPPED = observed(claim=CLAIM, end=End(Outcome.STOPPED, "DELETED", at=NOW - timedelta(seconds=20)))
CANCELLED = observed(claim=CLAIM, end=End(Outcome.CANCELLED, at=NOW - timedelta(seconds=20)))
SUCCEEDED = observed(claim=CLAIM, end=End(Outcome.SUCCEEDED, at=NOW - timedelta(seconds=20)))
GONE = "The job's object was deleted."
CONTESTED = "Another installation manages the job."
ORDERED = replace(RECORD, sent_at=NOW - timedelta(seconds=10), orders=1)


@pytest.mark.parametrize(
    ("record", "seen", "actions"),
    [
        pytest.param(RECORD, observed(), (EndAttempt(TASK, Outcome.STOPPED, "DELETED", GONE),), id="unclaimed"),
        pytest.param(RECORD, HELD, (RequestStop(TASK, StopReason.DELETED),), id="a-worker-runs-it"),
        pytest.param(RECORD, observed(HELD, stop=StopReason.SUSPEND), (), id="a-worker-is-stopping"),
        pytest.param(RECORD, observed(HELD, alive=False, silent_seconds=9), (RequestStop(TASK, StopReason.DELETED),),
            id="a-worker-is-silent"),
        pytest.param(RECORD, observed(HELD, alive=False, silent_seconds=10),
            (EndAttempt(TASK, Outcome.STOPPED, "DELETED", GONE, is_lost=True),), id="a-worker-is-lost"),
        pytest.param(RECORD, observed(HELD, alive=False, silent_seconds=10, epoch_age_seconds=3),
            (RequestStop(TASK, StopReason.DELETED),), id="a-worker-may-still-register"),
        pytest.param(RECORD, STOPPED, (DeleteFiles("gpu"),), id="stopped"),
        pytest.param(ORDERED, STOPPED, (), id="ordered-a-moment-ago"),
        pytest.param(replace(ORDERED, cleaned=True), STOPPED, (Forget(),), id="the-files-are-deleted"),
        pytest.param(replace(ORDERED, cleaned=True), observed(STOPPED, requested=True), (Forget(),),
            id="a-request-was-pending"),
        pytest.param(RECORD, observed(STOPPED, confirmed=True, flag_ttl_seconds=1801), (DeleteFiles("gpu"),),
            id="cancelled-after-its-last-attempt"),
        pytest.param(ORDERED, observed(STOPPED, confirmed=True, flag_ttl_seconds=1799), (AssertCancelled(),),
            id="ordered-a-moment-ago-for-longer-than-the-flag-lasts"),
        pytest.param(RECORD, observed(SUCCEEDED, confirmed=True, flag_ttl_seconds=9),
            (ClearFlags(), DeleteFiles("gpu")), id="cancelled-too-late"),
        pytest.param(RECORD, observed(SUCCEEDED, requested=True), (ClearFlags(), DeleteFiles("gpu")),
            id="a-request-of-one-that-succeeded"),
        pytest.param(replace(ORDERED, cleaned=True), observed(CANCELLED, confirmed=True), (Forget(),),
            id="a-cancels-own-flag-stays"),
        pytest.param(replace(RECORD, sent_at=None), STOPPED, (DeleteFiles("gpu"),), id="nothing-was-ever-sent"),
        pytest.param(replace(ORDERED, sent_at=NOW - timedelta(seconds=15)), observed(STOPPED, order_missing=True),
            (DeleteFiles("gpu"),), id="the-order-was-lost"),
    ],
)  # fmt: skip
def test_an_orphan_is_stopped_cleaned_up_and_forgotten(
    record: Record, seen: Observation, actions: tuple[object, ...]
) -> None:
    assert plan_orphan(record, seen, NOW, TIMING) == actions


@pytest.mark.parametrize(
    ("seen", "actions"),
    [
        pytest.param(observed(), (EndAttempt(TASK, Outcome.STOPPED, "SUPERSEDED", CONTESTED),), id="unclaimed"),
        pytest.param(HELD, (RequestStop(TASK, StopReason.SUPERSEDED),), id="a-worker-runs-it"),
        pytest.param(SUCCEEDED, (Forget(),), id="it-had-succeeded"),
    ],
)  # fmt: skip
def test_the_attempt_of_a_contested_job_ends_and_its_files_stay(seen: Observation, actions: tuple[Action, ...]) -> None:
    assert plan_contested(RECORD, seen, TIMING) == actions


FIRST = replace(RECORD, attempt=in_record(1, "gpu"))
CLOSED = observed(claim=replace(CLAIM, token="operator", by_operator=True), end=End(Outcome.STOPPED, "DELETED", at=NOW))
FORGOTTEN = (TakeBack(FIRST.attempt), Forget())


@pytest.mark.parametrize(
    ("record", "seen", "begun", "forgotten"),
    [
        pytest.param(FIRST, CLOSED, False, True, id="no-worker-ever-began-it"),
        pytest.param(FIRST, observed(CLOSED, workers=0), False, True, id="in-a-queue-without-workers"),
        pytest.param(replace(FIRST, sent_at=NOW - timedelta(days=30)), CLOSED, False, True, id="after-a-month"),
        pytest.param(FIRST, STOPPED, False, False, id="a-worker-ran-it"),
        pytest.param(replace(FIRST, begun=True), CLOSED, False, False, id="redis-lost-the-workers-claim"),
        pytest.param(replace(FIRST, sent_at=None), CLOSED, False, False, id="redis-lost-the-record"),
        pytest.param(FIRST, CLOSED, True, False, id="the-status-or-a-folder-names-a-worker"),
        pytest.param(RECORD, observed(CLOSED), False, False, id="an-earlier-attempt-may-have-begun"),
    ],
)
def test_a_job_that_no_worker_began_is_forgotten_without_a_worker(
    record: Record, seen: Observation, *, begun: bool, forgotten: bool
) -> None:
    actions = plan_orphan(record, seen, NOW, TIMING, begun=begun)

    assert actions == (FORGOTTEN if forgotten else (DeleteFiles("gpu"),))


@pytest.mark.parametrize(
    ("folder", "job", "unrecorded", "unknown"),
    [
        pytest.param(TASK, None, False, True, id="no-object"),
        pytest.param(TASK, job_with(Status()), True, False, id="its-status-shows-no-message"),
        pytest.param(TASK, job_with(QUEUED), False, False, id="its-status-shows-the-message"),
        pytest.param(TASK, job_with(Status(), managed_by="example.com/other"), False, False, id="another-controllers"),
        pytest.param(make_attempt("uid"), None, False, False, id="of-another-installation"),
        pytest.param(make_attempt("uid"), job_with(Status()), False, False, id="and-with-an-object"),
    ],
)
def test_what_follows_from_a_reported_folder(
    folder: AttemptRef, job: Job | None, unrecorded: bool, unknown: bool
) -> None:
    jobs = {} if job is None else {"uid": job}

    assert sort_folders({"uid": folder}, jobs, "install") == ([job] * unrecorded, {"uid": folder} if unknown else {})
