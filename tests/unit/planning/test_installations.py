"""Installations: the first status of a job has its mark, and only the installation whose mark it has acts."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from reconstruction_operator.api.spec import Location, Spec
from reconstruction_operator.api.status import Condition, ConditionType, InstallationMark, Phase, Status
from reconstruction_operator.contract.records import Claim, Record
from reconstruction_operator.planning.actions import Dispatch, PutRecord
from reconstruction_operator.planning.installations import contested_report, management
from reconstruction_operator.planning.types import Event, Job, Management, Observation, Plan

from tests.support.plans import NOW, TASK, TIMING, observed, plan
from tests.support.refs import make_attempt

MINE = InstallationMark("mine", "here/operator")
THEIRS = InstallationMark("theirs", "there/operator")


def recorded(install_id: str) -> Record:
    return Record(make_attempt("uid", namespace="team", install_id=install_id), NOW - timedelta(seconds=3))


RECORD = recorded("mine")
QUEUED = Status(observed_generation=1, phase=Phase.QUEUED, attempt=1, dispatch_time=NOW - timedelta(seconds=3))


def a_job(status: Status = Status(), management: Management = Management.UNMARKED, **spec: object) -> Job:  # noqa: B008  # frozen
    wanted = Spec(**{"input": Location("file:///photos/banana"), **spec})
    return Job(TASK.job, 1, NOW, wanted, status, management=management)


def planned(job: Job, seen: Observation = observed(), *, admitted: bool = True) -> Plan:  # noqa: B008  # the same
    return plan(job, seen, NOW, TIMING, admitted=admitted, mine=MINE)


@pytest.mark.parametrize(
    ("mark", "expected"),
    [
        pytest.param(None, Management.UNMARKED, id="no mark"),
        pytest.param(InstallationMark(), Management.UNMARKED, id="an empty mark"),
        pytest.param(MINE, Management.OURS, id="our mark"),
        pytest.param(THEIRS, Management.FOREIGN, id="another's mark"),
        pytest.param(InstallationMark("mine", THEIRS.lease), Management.OURS, id="we had another Lease"),
        pytest.param(InstallationMark("theirs", MINE.lease), Management.FOREIGN, id="another id with our Lease"),
    ],
)
def test_the_mark_names_the_installation_that_manages_a_job(
    mark: InstallationMark | None, expected: Management
) -> None:
    assert management(Status(installation=mark), MINE) is expected


def test_a_new_job_is_dispatched_by_the_plan_whose_status_has_our_mark() -> None:
    plan = planned(a_job())

    assert [type(action) for action in plan.actions] == [PutRecord, Dispatch]
    assert plan.status.installation == MINE
    assert (plan.status.phase, plan.status.attempt, plan.status.dispatch_time) == (Phase.QUEUED, 1, NOW)


def test_the_record_of_another_installation_stays_its_own_until_our_mark_is_stored() -> None:
    """Both have dispatched a new job in one Redis: the status decides."""
    seen = observed(record=recorded("theirs"))

    plan = planned(a_job(), seen)

    assert (plan.actions, plan.status.installation, plan.again) == ((), MINE, True)
    assert planned(a_job(plan.status, Management.OURS), seen).actions == (PutRecord(TASK),)


def test_a_new_job_that_has_to_wait_is_marked_and_waits_for_its_turn_at_once() -> None:
    plan = planned(a_job(), admitted=False)

    assert (plan.status.phase, plan.status.installation) == (Phase.PENDING, MINE)
    assert plan.wants_dispatch


def test_a_job_that_only_waits_for_its_turn_is_not_marked() -> None:
    job = a_job(replace(planned(a_job(), admitted=False).status, installation=None))

    assert planned(job, admitted=False).status == job.status
    assert planned(job, admitted=False).wants_dispatch
    assert planned(job, admitted=True).status.installation == MINE


def test_a_mark_alone_is_no_reason_for_a_write() -> None:
    """Otherwise an API server without the field would be asked to store it for ever."""
    stored = replace(planned(a_job(QUEUED), observed(record=RECORD)).status, installation=None)

    assert planned(a_job(stored), observed(record=RECORD)).status == stored


def test_a_finished_job_gets_no_mark() -> None:
    over = Status(observed_generation=1, phase=Phase.SUCCEEDED, attempt=1, worker="w", dispatch_time=NOW)

    plan = planned(a_job(over), observed(requested=True))

    assert plan.actions
    assert plan.status == over


def test_an_attempt_of_an_installation_that_moved_continues() -> None:
    before = replace(MINE, lease="before/operator")
    running = replace(QUEUED, phase=Phase.RUNNING, worker="w", installation=before)
    seen = observed(record=RECORD, claim=Claim("token", "w", by_operator=False, at=NOW), alive=True)

    plan = planned(a_job(running, Management.OURS), seen)

    assert (plan.status.attempt, plan.status.installation) == (1, MINE)
    assert plan.actions == ()


def test_a_job_that_is_ignored_reports_it_once() -> None:
    job = a_job(replace(QUEUED, installation=THEIRS), Management.FOREIGN)

    first = contested_report(job, MINE, NOW)
    again = contested_report(replace(job, status=first.status), MINE, NOW + timedelta(seconds=60))

    text = (
        "Installation theirs (Lease there/operator) manages this job. Installation mine "
        "(Lease here/operator) watches its "
        "namespace as well, and ignores the job. Let only one of them watch the namespace (WATCH_NAMESPACES). "
        "To move an installation, stop it, and start the new one with the same INSTALL_ID"
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
    ended = plan(wrong, observed(), NOW, TIMING, admitted=False).status
    assert ended.phase is Phase.FAILED
    assert ended.condition(ConditionType.CONTESTED) is None


def test_a_condition_goes_with_the_mark_of_an_installation_that_is_gone() -> None:
    contested = contested_report(a_job(replace(QUEUED, installation=THEIRS), Management.FOREIGN), MINE, NOW).status
    assert contested.condition(ConditionType.CONTESTED) is not None

    managed = planned(a_job(replace(contested, installation=None)), observed(record=RECORD)).status

    assert managed.installation == MINE
    assert managed.condition(ConditionType.CONTESTED) is None
