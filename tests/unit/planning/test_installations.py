"""Installations: a job is marked before its first action, and only its manager acts."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from reconstruction_operator.api.identity import JobKey
from reconstruction_operator.api.spec import Location, Spec
from reconstruction_operator.api.status import Condition, ConditionType, InstallationMark, Phase, Status
from reconstruction_operator.contract.records import Claim, Record
from reconstruction_operator.planning.actions import Dispatch, PutRecord
from reconstruction_operator.planning.installations import contested_report, marked
from reconstruction_operator.planning.plan import plan
from reconstruction_operator.planning.types import Event, Job, Management, Observation, Plan

from tests.support.plans import NOW, TASK, TIMING

MINE = InstallationMark("mine", "here/operator")
THEIRS = InstallationMark("theirs", "there/operator")
RECORD = Record("mine", "team", "banana", 1, "celery", NOW - timedelta(seconds=3))
QUEUED = Status(observed_generation=1, phase=Phase.QUEUED, attempt=1, dispatch_time=NOW - timedelta(seconds=3))


def a_job(status: Status = Status(), management: Management = Management.UNMARKED, **spec: object) -> Job:  # noqa: B008  # frozen
    wanted = Spec(**{"input": Location("file:///photos/banana"), **spec})  # type: ignore[arg-type]
    return Job(JobKey("team", "banana", TASK.job_id), 1, NOW, wanted, status, management=management)


def planned(job: Job, seen: Observation = Observation(), *, admitted: bool = True) -> Plan:  # noqa: B008  # the same
    return marked(job, plan(job, seen, NOW, TIMING, admitted=admitted), MINE, admitted=admitted)


def test_mark_and_dispatch_of_a_new_job_are_stored_in_one_write_before_it_is_sent() -> None:
    made = planned(a_job())

    assert made.actions == ()
    assert made.status.installation == MINE
    assert (made.status.phase, made.status.attempt, made.status.dispatch_time) == (Phase.QUEUED, 1, NOW)


def test_a_job_whose_dispatch_is_stored_is_sent_and_needs_no_second_write() -> None:
    job = a_job(planned(a_job()).status, Management.OURS)

    made = planned(job, Observation(unsent=True))

    assert [type(one) for one in made.actions] == [PutRecord, Dispatch]
    assert (made.status, made.events) == (job.status, ())


@pytest.mark.parametrize("epoch_age_seconds", [0.0, 1e9], ids=["in-the-grace", "later"])
def test_only_the_operator_that_stored_a_dispatch_sends_it_at_once(epoch_age_seconds: float) -> None:
    """Another leader does not know whether it was sent, and searches for the message first."""
    job = a_job(planned(a_job()).status, Management.OURS)
    seen = Observation(epoch_age_seconds=epoch_age_seconds)

    assert [type(one) for one in planned(job, seen).actions] == [PutRecord]
    assert [type(one) for one in planned(job, replace(seen, unsent=True)).actions] == [PutRecord, Dispatch]


def test_a_new_job_that_has_to_wait_is_marked_and_waits_for_its_turn_at_once() -> None:
    made = planned(a_job(), admitted=False)

    assert (made.status.phase, made.status.installation) == (Phase.PENDING, MINE)
    assert made.wants_dispatch


def test_a_job_that_only_waits_for_its_turn_is_not_marked() -> None:
    waiting = plan(a_job(), Observation(), NOW, TIMING, admitted=False).status
    job = a_job(waiting)

    assert planned(job, admitted=False).status is waiting
    assert planned(job, admitted=False).wants_dispatch
    assert planned(job, admitted=True).status.installation == MINE


def test_a_running_job_of_an_older_version_is_marked_at_once() -> None:
    assert planned(a_job(QUEUED), Observation(record=RECORD), admitted=False).status.installation == MINE


@pytest.mark.parametrize("spec", [{"cancel_requested": True, "cancel_confirmed": True}, {"suspend": True}], ids=str)
def test_a_job_gets_no_action_before_its_mark_is_stored(spec: dict[str, bool]) -> None:
    made = planned(a_job(QUEUED, **spec), Observation(record=RECORD))

    assert (made.actions, made.status.installation) == ((), MINE)


def test_a_finished_job_gets_no_mark() -> None:
    over = Status(observed_generation=1, phase=Phase.SUCCEEDED, attempt=1, worker="w", dispatch_time=NOW)

    made = planned(a_job(over), Observation(requested=True))

    assert made.actions
    assert made.status == over


def test_an_inherited_attempt_without_a_record_in_our_redis_is_superseded() -> None:
    running = replace(QUEUED, phase=Phase.RUNNING, worker="w@there", installation=THEIRS)

    made = planned(a_job(running, Management.INHERITED))

    assert (made.status.attempt, made.status.failures, made.status.installation) == (2, 0, MINE)
    assert next(one.reason for one in made.status.conditions if one.type == "Running") == "HandedOver"
    assert made.events[0] == Event("Normal", "TakenOver", "Installation mine has taken over from theirs")


def test_a_handover_that_named_our_lease_is_an_event() -> None:
    given = replace(QUEUED, installation=InstallationMark(THEIRS.id, MINE.lease))

    assert planned(a_job(given, Management.INHERITED)).events[0].reason == "TakenOver"


def test_an_inherited_attempt_in_the_same_redis_continues() -> None:
    running = replace(QUEUED, phase=Phase.RUNNING, worker="w", installation=THEIRS)
    seen = Observation(
        record=replace(RECORD, install_id="theirs"), claim=Claim("token", "w", by_operator=False, at=NOW), alive=True
    )

    made = planned(a_job(running, Management.INHERITED), seen)
    after = planned(a_job(made.status, Management.OURS), seen)

    assert (made.status.attempt, made.status.installation) == (1, MINE)
    assert after.actions == (PutRecord(1, "celery"),)


def test_an_inherited_backoff_continues() -> None:
    due = NOW + timedelta(seconds=60)
    status = replace(QUEUED, attempt=3, dispatch_time=None, next_attempt_time=due, installation=THEIRS)

    made = planned(a_job(status, Management.INHERITED), admitted=False)

    assert (made.status.attempt, made.status.next_attempt_time) == (3, due)


def test_a_job_of_another_installation_is_planned_without_actions() -> None:
    job = a_job(replace(QUEUED, installation=THEIRS), Management.FOREIGN, cancel_requested=True)

    assert planned(job) == Plan(job.status)


def test_a_job_that_is_ignored_reports_it_once() -> None:
    job = a_job(replace(QUEUED, installation=THEIRS), Management.FOREIGN)

    first = contested_report(job, MINE, NOW)
    again = contested_report(replace(job, status=first.status), MINE, NOW + timedelta(seconds=60))

    text = (
        "Installation theirs (Lease there/operator) manages this job. Installation mine (Lease here/operator) watches its "
        "namespace as well, and ignores the job"
    )
    assert first.events == (Event("Warning", "ManagedElsewhere", text),)
    assert first.status == replace(
        job.status, conditions=(Condition("Contested", "True", "ManagedElsewhere", text, NOW, 1),)
    )
    assert again == Plan(first.status)


@pytest.mark.parametrize(
    "status", [Status(phase=Phase.FAILED, installation=THEIRS), Status()], ids=["finished", "unmarked"]
)
def test_a_job_that_no_other_operator_manages_is_not_reported(status: Status) -> None:
    assert contested_report(a_job(status, Management.FOREIGN), MINE, NOW) == Plan(status)


def test_the_manager_keeps_the_condition_until_the_end_and_never_writes_it() -> None:
    status = planned(a_job(), admitted=False).status
    reported = contested_report(a_job(status, Management.FOREIGN), THEIRS, NOW).status

    kept = planned(a_job(reported, Management.OURS), admitted=False).status

    assert kept == reported
    wrong = replace(a_job(reported, Management.OURS), problems=("queue: no.",))
    ended = plan(wrong, Observation(), NOW, TIMING, admitted=False).status
    assert ended.phase is Phase.FAILED
    assert ended.condition(ConditionType.CONTESTED) is None


def test_an_installation_that_takes_a_job_over_removes_the_condition() -> None:
    contested = contested_report(a_job(replace(QUEUED, installation=THEIRS), Management.FOREIGN), MINE, NOW).status
    assert contested.condition(ConditionType.CONTESTED) is not None

    taken = planned(a_job(contested, Management.INHERITED), Observation(record=RECORD)).status

    assert taken.installation == MINE
    assert taken.condition(ConditionType.CONTESTED) is None
