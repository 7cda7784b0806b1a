"""Validation: a job that is not accepted fails before it has started."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from reconstruction_operator.api.status import Failure, Status
from reconstruction_operator.contract.records import Record
from reconstruction_operator.planning.case import Case, JobState
from reconstruction_operator.planning.quotas import Refusal
from reconstruction_operator.planning.rules import validating
from reconstruction_operator.planning.types import Observation

from tests.support.plans import NOW, TIMING, job_with

REFUSED = Observation(refused=Refusal("QUEUE_REFUSED", "Namespace team may not use queue gpu."))


def case(seen: Observation, problems: tuple[str, ...] = (), status: Status | None = None, **spec: Any) -> Case:
    return Case(replace(job_with(status or Status(), **spec), problems=problems), seen, NOW, TIMING)


@pytest.mark.parametrize(
    ("seen", "problems", "reason", "words"),
    [
        pytest.param(Observation(), ("A is wrong.", "B too."), "INVALID_SPEC", "A is wrong. B too.", id="spec"),
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


@pytest.mark.parametrize(
    "its",
    [
        pytest.param(case(Observation()), id="nothing is wrong"),
        pytest.param(case(REFUSED, status=Status(attempt=1)), id="it was admitted before the rule was made"),
        pytest.param(
            case(replace(REFUSED, record=Record("install", "team", "banana", 1, "gpu"))), id="a message may be sent"
        ),
        pytest.param(
            case(REFUSED, ("A is wrong.",), cancel_requested=True, cancel_confirmed=True), id="a cancel is confirmed"
        ),
    ],
)
def test_other_rules_decide(its: Case) -> None:
    assert validating.decide(its) is None
