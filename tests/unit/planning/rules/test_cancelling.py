"""Step two of a cancel: it ends the attempt, and needs a worker only if one has started it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from reconstruction_operator.api.status import Cancel, Phase, Status
from reconstruction_operator.contract.outcomes import Outcome, StopReason
from reconstruction_operator.planning.actions import EndAttempt, PutRecord
from reconstruction_operator.planning.types import Observation

from tests.support.plans import HELD, NOW, QUEUED, RECORD, RUNNING, TASK, look, observed

PUT = PutRecord(TASK)
TAKE = EndAttempt(TASK, Outcome.CANCELLED, "CANCELLED", "Cancelled while no worker ran it.")
WAITING = observed(record=RECORD, workers=1)
RETRY = Status(phase=Phase.PENDING, attempt=2, failures=1, next_attempt_time=NOW + timedelta(seconds=60))
REQUESTED = {"cancel_requested": True}
CONFIRMED = {"cancel_requested": True, "cancel_confirmed": True}


def test_a_request_alone_stops_nothing() -> None:
    plan = look(observed(), admitted=True, **REQUESTED)

    assert plan.status.phase is Phase.QUEUED
    assert plan.status.cancel == Cancel(requested_at=NOW)


def test_a_withdrawn_request_leaves_no_time_in_the_status() -> None:
    asked = replace(RUNNING, cancel=Cancel(requested_at=NOW))

    assert look(HELD, asked).status.cancel is None


@pytest.mark.parametrize(
    ("status", "seen", "actions"),
    [
        pytest.param(Status(), observed(), (TAKE,), id="never-dispatched"),
        pytest.param(QUEUED, WAITING, (TAKE,), id="in-the-queue"),
        pytest.param(QUEUED, observed(), (TAKE, PUT), id="in-a-queue-that-redis-lost"),
        pytest.param(RUNNING, HELD, (), id="a-worker-runs-it-and-sees-the-flag"),
        pytest.param(RUNNING, observed(HELD, stop=StopReason.SUSPEND), (), id="a-worker-is-stopping-anyway"),
        pytest.param(RUNNING, observed(HELD, alive=False, silent_seconds=9), (), id="a-worker-is-silent"),
        pytest.param(RUNNING, observed(HELD, alive=False, silent_seconds=10),
            (EndAttempt(TASK, Outcome.CANCELLED, "CANCELLED", "Cancelled; the worker that ran it is lost.",
                is_lost=True),),
            id="a-worker-is-lost"),
        pytest.param(RUNNING, observed(epoch_age_seconds=1), (PUT,), id="redis-lost-the-claim-just-now"),
        pytest.param(RUNNING, observed(epoch_age_seconds=16), (TAKE, PUT), id="redis-lost-the-claim"),
        pytest.param(Status(phase=Phase.SUSPENDED, attempt=1), WAITING, (TAKE,), id="suspended"),
        pytest.param(RETRY, WAITING, (replace(TAKE, task=replace(TASK, number=2)),), id="during-a-backoff"),
    ],
)  # fmt: skip
def test_a_confirmed_cancel_waits_for_a_worker_only_if_one_has_started(
    status: Status, seen: Observation, actions: tuple[object, ...]
) -> None:
    flagged = observed(seen, confirmed=True, flag_ttl_seconds=3000.0)

    plan = look(flagged, status, admitted=True, suspend=True, **CONFIRMED)

    assert plan.actions == actions
    assert plan.status.phase is Phase.CANCELLING
    assert not plan.wants_dispatch


def test_the_message_of_a_cancel_names_the_worker_that_has_to_stop() -> None:
    assert look(HELD, RUNNING, **CONFIRMED).status.message == "Cancelling: waiting for worker worker-1 to stop"
