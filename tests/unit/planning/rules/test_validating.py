"""Validation: a job that is not accepted fails before it has started."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from reconstruction_operator.api.identity import MAX_ATTEMPT
from reconstruction_operator.api.status import Failure, Status
from reconstruction_operator.contract.records import Record
from reconstruction_operator.planning.case import Case, JobState
from reconstruction_operator.planning.quotas import Refusal
from reconstruction_operator.planning.rules import validating
from reconstruction_operator.planning.types import Observation

from tests.support.plans import NOW, TIMING, in_record, job_with, observed

REFUSED = observed(refused=Refusal("QUEUE_REFUSED", "Namespace team may not use queue gpu."))


def case(seen: Observation, problems: tuple[str, ...] = (), status: Status | None = None, **spec: Any) -> Case:
    return Case(replace(job_with(status or Status(), **spec), problems=problems), seen, NOW, TIMING)


@pytest.mark.parametrize(
    ("seen", "problems", "reason", "words"),
    [
        pytest.param(observed(), ("A is wrong.", "B too."), "INVALID_SPEC", "A is wrong. B too.", id="spec"),
        pytest.param(REFUSED, (), "QUEUE_REFUSED", "Namespace team may not use queue gpu.", id="namespace"),
        pytest.param(REFUSED, ("A is wrong.",), "INVALID_SPEC", "A is wrong.", id="the spec comes first"),
    ],
)
def test_a_job_that_is_not_accepted_fails_at_once(
    seen: Observation, problems: tuple[str, ...], reason: str, words: str
) -> None:
    decision = validating.decide(case(seen, problems, Status(next_attempt_time=NOW)))

    assert decision is not None
    assert (decision.state, decision.actions, decision.wants_dispatch) == (JobState.INVALID, (), False)
    assert (decision.status.completion_time, decision.status.next_attempt_time) == (NOW, None)
    assert isinstance(decision.status.failure, Failure)
    assert decision.status.failure.reason == reason
    assert decision.status.failure.message.startswith(words)
    assert not decision.status.failure.retriable


@pytest.mark.parametrize("attempt", [MAX_ATTEMPT, 2**31 - 1])
def test_a_job_with_an_attempt_that_none_can_follow_fails(attempt: int) -> None:
    decision = validating.refuse_attempt(case(observed(), status=Status(attempt=attempt)))

    assert decision is not None
    assert (decision.state, decision.status.completion_time) == (JobState.FAILED, NOW)
    assert decision.status.failure is not None
    assert decision.status.failure.reason == "INVALID_STATUS"
    assert decision.status.failure.message.startswith(f"status.attempt is {attempt}, and no attempt can follow")


@pytest.mark.parametrize(
    ("attempt", "spec"),
    [(MAX_ATTEMPT - 1, {}), (MAX_ATTEMPT, {"cancel_requested": True, "cancel_confirmed": True})],
    ids=["one before it", "a cancel is confirmed"],
)
def test_a_job_with_a_high_attempt_is_left_to_other_rules(attempt: int, spec: dict[str, bool]) -> None:
    assert validating.refuse_attempt(case(observed(), status=Status(attempt=attempt), **spec)) is None


@pytest.mark.parametrize(
    "valid",
    [
        pytest.param(case(observed()), id="nothing is wrong"),
        pytest.param(case(REFUSED, status=Status(attempt=1)), id="it was admitted before the rule was made"),
        pytest.param(case(observed(REFUSED, record=Record(in_record(1, "gpu")))), id="a message may be sent"),
        pytest.param(
            case(REFUSED, ("A is wrong.",), cancel_requested=True, cancel_confirmed=True), id="a cancel is confirmed"
        ),
    ],
)
def test_other_rules_decide(valid: Case) -> None:
    assert validating.decide(valid) is None
