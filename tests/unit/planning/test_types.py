"""Types of planning: which installation manages a job, when a worker is lost, and how long a result is kept."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from reconstruction_operator.api.spec import Spec
from reconstruction_operator.api.status import Status
from reconstruction_operator.contract.outcomes import Outcome
from reconstruction_operator.contract.records import Claim, End
from reconstruction_operator.planning.types import Management, Observation

from tests.support.plans import NOW, TIMING, job_with, observed

CLAIM = Claim("token", "worker-1", by_operator=False, at=NOW - timedelta(minutes=1))
SILENT = observed(claim=CLAIM, silent_seconds=10.0)


@pytest.mark.parametrize(
    ("seen", "lost"),
    [
        pytest.param(SILENT, True, id="silent for long enough"),
        pytest.param(observed(SILENT, silent_seconds=9.9), False, id="silent for a moment"),
        pytest.param(observed(SILENT, alive=True), False, id="alive"),
        pytest.param(observed(SILENT, epoch_age_seconds=15.0), False, id="in the grace after a loss of data"),
        pytest.param(observed(SILENT, epoch_age_seconds=15.1), True, id="after the grace"),
        pytest.param(observed(SILENT, end=End(Outcome.FAILED)), False, id="it has ended"),
        pytest.param(observed(silent_seconds=99.0), False, id="no worker runs it"),
    ],
)
def test_when_a_worker_is_lost(seen: Observation, lost: bool) -> None:
    assert seen.lost(TIMING) is lost


@pytest.mark.parametrize(
    ("managed_by", "management", "ours", "contested"),
    [
        pytest.param(None, Management.OURS, True, False, id="ours"),
        pytest.param("", Management.UNMARKED, True, False, id="new"),
        pytest.param("reconstruction.dev/operator", Management.OURS, True, False, id="ours by name"),
        pytest.param(None, Management.FOREIGN, False, True, id="another installation's"),
        pytest.param("example.com/other", Management.OURS, False, False, id="another controller's"),
        pytest.param(
            "example.com/other", Management.FOREIGN, False, False, id="another controller's and installation's"
        ),
    ],
)
def test_which_installation_manages_a_job(
    managed_by: str | None, management: Management, ours: bool, contested: bool
) -> None:
    job = replace(job_with(Status(), managed_by=managed_by), management=management)

    assert (job.ours, job.contested) == (ours, contested)


@pytest.mark.parametrize(
    ("status", "sent"),
    [
        pytest.param(Status(), False, id="new"),
        pytest.param(Status(attempt=1), False, id="admitted"),
        pytest.param(Status(attempt=1, dispatch_time=NOW), True, id="dispatched"),
        pytest.param(Status(attempt=1, worker="w"), True, id="running"),
        pytest.param(Status(attempt=2), True, id="retried"),
    ],
)
def test_whether_a_message_was_ever_sent(status: Status, sent: bool) -> None:
    assert job_with(status).sent is sent


DAY = 86_400


@pytest.mark.parametrize(
    ("policy", "default", "expected"),
    [
        pytest.param(None, "Retain", DAY, id="the-settings-retain"),
        pytest.param(None, "Delete", 0, id="the-settings-delete"),
        pytest.param("Retain", "Delete", DAY, id="the-job-retains"),
        pytest.param("Delete", "Retain", 0, id="the-job-deletes"),
    ],
)
def test_the_jobs_own_policy_overrides_the_settings(policy: str | None, default: str, expected: int) -> None:
    timing = replace(TIMING, deletion_policy=default, retain_seconds_after_deletion=DAY)
    assert timing.retention(Spec(deletion_policy=policy)) == expected
