"""Steps on the current attempt: when it is stopped, given up, and checked again."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from reconstruction_operator.api.status import Status
from reconstruction_operator.contract.outcomes import StopReason
from reconstruction_operator.contract.records import Claim
from reconstruction_operator.planning.actions import RequestStop
from reconstruction_operator.planning.case import Case, JobState
from reconstruction_operator.planning.rules import attempts
from reconstruction_operator.planning.types import Observation

from tests.support.plans import NOW, TASK, TIMING, job_with, observed

CLAIM = Claim("token", "worker-1", by_operator=False, at=NOW - timedelta(minutes=1))
RUNS = observed(claim=CLAIM, alive=True)


def case(seen: Observation, **spec: Any) -> Case:
    return Case(job_with(Status(attempt=1), **spec), seen, NOW, TIMING)


@pytest.mark.parametrize("reason", StopReason)
def test_every_reason_of_a_stop_has_a_text_and_is_requested_once(reason: StopReason) -> None:
    first = attempts.stop(case(RUNS), reason)
    again = attempts.stop(case(observed(RUNS, stop=reason)), StopReason.DELETED)

    assert first.actions == (RequestStop(TASK, reason),)
    assert again.actions == ()
    assert first.text == again.text
    assert first.text is not None
    assert first.text.startswith("Stopping: ")
    assert (first.state, first.stopping, first.status.worker) == (JobState.RUNNING, True, "worker-1")


def test_a_grace_period_that_has_passed_ends_within_a_second() -> None:
    assert attempts.grace_end(case(observed())) == NOW + timedelta(seconds=1)
