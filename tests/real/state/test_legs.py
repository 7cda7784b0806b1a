"""Legs of an attempt in Redis: ended by their run, returned by the operator, and each claimed once."""

from typing import Any

import pytest
from reconstruction_operator.api.attempt_status import Leg, StepTime, Usage
from reconstruction_operator.contract.attempt import Findings
from reconstruction_operator.contract.outcomes import StopReason
from reconstruction_operator.state import operator_calls, worker_calls
from reconstruction_operator.state.replies import ClaimCode, FinishCode, LegCode

from tests.support.protocol.caller import RUN, TASK, Caller

GPU = Leg(1, "gpu", "depth")
FOUND = Findings(steps=(StepTime("Loading input files", 8),), usage=Usage(cpu_seconds=50), quality={"registered": "12"})
NEXT = RUN | {"token": "second", "leg": GPU}


@pytest.fixture
def running(do: Caller) -> Caller:
    """With attempt 1 wanted, sent and claimed by `RUN`."""
    do.want()
    do.order(operator_calls.mark_sent, attempt=TASK)
    do.claim()
    return do


def leave(do: Caller, run: dict[str, Any] = RUN, following: Leg = GPU) -> LegCode:
    code: LegCode = do(worker_calls.end_leg, **run, following=following, found=FOUND)
    return code


def test_after_the_end_of_a_leg_the_attempt_waits_for_the_next_one(running: Caller) -> None:
    assert leave(running) is leave(running) is LegCode.ENDED

    seen = running.seen()
    assert (seen.record.leg, seen.record.found, seen.record.attempt.queue) == (GPU, FOUND, TASK.queue)
    assert (seen.claim, seen.end, seen.record.sent_at, seen.record.begun) == (None, None, None, True)
    assert running.claim(NEXT).code is ClaimCode.CLAIMED
    assert running.seen().claim.token == "second"


def test_messages_and_runs_of_an_earlier_leg_no_longer_count(running: Caller) -> None:
    leave(running)

    assert running.claim(RUN | {"token": "late"}).code is ClaimCode.UNWANTED
    assert not running.beat().owned
    assert running.finish().code is FinishCode.SUPERSEDED
    running.order(operator_calls.mark_sent, attempt=TASK)
    assert running.seen().record.sent_at is None
    running.order(operator_calls.mark_sent, attempt=TASK, leg=1)
    assert running.seen().record.sent_at is not None


def test_a_leg_of_another_run_or_an_attempt_that_has_ended_cannot_be_ended(running: Caller) -> None:
    assert leave(running, RUN | {"token": "other"}) is LegCode.SUPERSEDED
    running.finish()
    assert leave(running) is LegCode.SUPERSEDED


@pytest.mark.parametrize("how", ["cancel", "stop"])
def test_a_cancelled_or_stopped_attempt_does_not_move(running: Caller, how: str) -> None:
    if how == "cancel":
        running.flag("confirm")
    else:
        running.order(operator_calls.request_stop, attempt=TASK, reason=StopReason.SUSPEND)

    assert leave(running) is LegCode.STOPPED
    assert running.seen().claim.token == "first"


def test_a_leg_is_returned_only_before_a_worker_begins_it(running: Caller) -> None:
    leave(running)
    home = Leg(2, "celery", "depth")

    running.order(operator_calls.return_leg, attempt=TASK, number=1, following=home)

    assert running.seen().record.leg == home
    assert running.claim(NEXT).code is ClaimCode.UNWANTED
    assert running.claim(NEXT | {"leg": home}).code is ClaimCode.CLAIMED
    running.order(operator_calls.return_leg, attempt=TASK, number=2, following=Leg(3, "celery", "depth"))
    assert running.seen().record.leg == home


def test_a_record_restores_a_lost_leg_and_never_sets_it_back(do: Caller) -> None:
    do.order(operator_calls.put_record, attempt=TASK, leg=GPU)
    assert do.seen().record.leg == GPU
    do.want()
    assert do.seen().record.leg == GPU
    do.want(2)
    assert (do.seen().record.leg, do.seen().record.found) == (None, None)


def test_a_heartbeat_after_a_loss_of_data_restores_the_claim_with_its_leg(do: Caller) -> None:
    do.want()
    do.claim()  # older data, of the first leg

    assert do.beat(NEXT).owned

    seen = do.seen()
    assert (seen.claim.token, seen.record.leg) == ("second", GPU)
    assert not do.beat().owned
