"""The operator's calls: the fence, the call of each action, and how replies are read. The scripts: tests/real/state."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from reconstruction_operator.api.identity import JobKey, TaskId
from reconstruction_operator.contract.keys import Keys
from reconstruction_operator.contract.outcomes import Outcome, StopReason
from reconstruction_operator.contract.records import End
from reconstruction_operator.planning import actions
from reconstruction_operator.planning.actions import Action
from reconstruction_operator.state import operator_calls
from reconstruction_operator.state.errors import DeposedError, UnexpectedReplyError
from reconstruction_operator.state.operator_calls import FORGET_MAX_ATTEMPTS, Leader
from reconstruction_operator.state.replies import Epoch
from reconstruction_operator.state.timeline import LookCounts

LEADER: Leader = {"fence": 3, "install_id": "here"}
JOB = JobKey("team", "banana", "job")
TASK = TaskId("job", 2)
DONE = (TASK, Outcome.FAILED, "WORKER_LOST", "It was silent.")


@pytest.mark.parametrize(
    ("action", "script"),
    [
        pytest.param(actions.PutRecord(2, "gpu"), "put_record", id="put the record"),
        pytest.param(actions.RequestCancel(), "request_cancel", id="request a cancel"),
        pytest.param(actions.WithdrawRequest(), "withdraw_request", id="withdraw it"),
        pytest.param(actions.AssertCancelled(), "assert_cancelled", id="confirm it"),
        pytest.param(actions.ClearFlags(), "clear_flags", id="clear the flags"),
        pytest.param(actions.TakeClaim(*DONE), "take_claim", id="take the claim"),
        pytest.param(actions.ForceEnd(*DONE), "force_end", id="force the end"),
        pytest.param(actions.RequestStop(TASK, StopReason.SUSPEND), "request_stop", id="request a stop"),
        pytest.param(actions.Forget(2), "forget", id="forget"),
    ],
)
def test_each_change_in_redis_is_a_fenced_call_about_its_job(action: Action, script: str) -> None:
    call = operator_calls.for_action(Keys(), action, JOB, **LEADER)

    assert call is not None
    assert (call.script.name, call.keys[0], call.args[0]) == (script, Keys().fence("here"), 3)
    assert any("job" in key for key in call.keys[1:])


@pytest.mark.parametrize(
    "action",
    [
        pytest.param(actions.Dispatch(TASK, "gpu"), id="dispatch"),
        pytest.param(actions.DeleteFiles("gpu"), id="delete files"),
        pytest.param(actions.TakeBack(TASK, "gpu"), id="take a message back"),
        pytest.param(actions.DeleteObject(), id="delete the object"),
    ],
)
def test_an_action_outside_redis_makes_no_call(action: Action) -> None:
    assert operator_calls.for_action(Keys(), action, JOB, **LEADER) is None


def test_a_refusal_by_the_fence_names_both_numbers() -> None:
    with pytest.raises(DeposedError) as caught:
        operator_calls.assert_leader(Keys(), **LEADER).read(["deposed", "7"])

    assert (caught.value.fence, caught.value.seen) == (3, 7)


@pytest.mark.parametrize("reply", [None, [], "ok", ["maybe"], ["deposed"]], ids=repr)
def test_a_reply_of_another_form_is_an_error_that_names_the_script(reply: Any) -> None:
    with pytest.raises(UnexpectedReplyError, match="script clear_flags returned"):
        operator_calls.clear_flags(Keys(), job_id="job", **LEADER).read(reply)


@pytest.mark.parametrize(
    ("end", "owner"),
    [
        pytest.param(End(Outcome.FAILED, "QUEUE_TIMEOUT"), "operator: queue timeout", id="by its reason"),
        pytest.param(End(Outcome.CANCELLED), "operator: cancelled", id="by its outcome"),
    ],
)
def test_a_claim_of_the_operator_names_its_reason(end: End, owner: str) -> None:
    assert operator_calls.take_claim(Keys(), task=TASK, end=end, **LEADER).args[2] == owner


def test_of_thousands_of_attempts_the_newest_are_forgotten() -> None:
    keys = operator_calls.forget(Keys(), job_id="job", attempts=5_000, **LEADER).keys
    claims = [key for key in keys if key.startswith("claim:")]

    assert len(claims) == FORGET_MAX_ATTEMPTS
    assert (claims[0], claims[-1]) == ("claim:job-4001", "claim:job-5000")


def test_an_epoch_is_read_with_its_times_and_looks() -> None:
    call = operator_calls.open_epoch(Keys(), run_id="run", **LEADER)
    start, now = datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC), datetime(1970, 1, 1, 0, 0, 2, tzinfo=UTC)

    assert call.read(["ok", ["id", "run", "1000"], "2000", "4", "5"]) == Epoch(
        "id", "run", start, now, LookCounts(4, 5)
    )
