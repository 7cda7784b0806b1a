"""Deletion while a foreign finalizer holds the object."""

from __future__ import annotations

import pytest
from reconstruction_operator.api.status import Status
from reconstruction_operator.contract.outcomes import Outcome, StopReason
from reconstruction_operator.contract.records import End
from reconstruction_operator.planning.actions import EndAttempt, RequestStop
from reconstruction_operator.planning.types import Observation, Plan

from tests.support.plans import CLAIM, RECORD, RUNNING, TASK, look, observed

GONE = (Outcome.STOPPED, "DELETED", "The job's object is being deleted.")


@pytest.mark.parametrize(
    ("stored", "seen", "actions"),
    [
        pytest.param(Status(), observed(), (), id="never-dispatched"),
        pytest.param(Status(attempt=1), observed(record=RECORD), (EndAttempt(TASK, *GONE),), id="unclaimed"),
        pytest.param(RUNNING, observed(record=RECORD, claim=CLAIM, alive=True),
            (RequestStop(TASK, StopReason.DELETED),), id="running"),
        pytest.param(RUNNING, observed(record=RECORD, claim=CLAIM, alive=True, stop=StopReason.SUSPEND), (),
            id="stopping"),
        pytest.param(RUNNING, observed(record=RECORD, claim=CLAIM, silent_seconds=10),
            (EndAttempt(TASK, *GONE, is_lost=True),), id="its-worker-is-lost"),
        pytest.param(RUNNING, observed(record=RECORD, end=End(Outcome.STOPPED)), (), id="ended"),
    ],
)  # fmt: skip
def test_a_job_under_deletion_is_stopped_and_not_written(
    stored: Status, seen: Observation, actions: tuple[object, ...]
) -> None:
    assert look(seen, stored, deleting=True) == Plan(stored, actions)
