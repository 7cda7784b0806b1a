"""Phase and conditions: complete, consistent, and each reason documented."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reconstruction_operator.api.status import Condition, ConditionType, Failure, Phase
from reconstruction_operator.planning.case import JobState
from reconstruction_operator.planning.status.conditions import Circumstances, conditions
from reconstruction_operator.planning.status.reasons import CONDITION_REASONS
from reconstruction_operator.planning.status.waiting import Kind

from tests.support.plans import NOW, PERMANENT

LATER = NOW + timedelta(minutes=5)
FAILURE = Failure("OUT_OF_MEMORY", "It was killed.", retriable=True)


def true(facts: Circumstances) -> set[str]:
    return {condition.type for condition in conditions(facts, (), NOW)[1] if condition.status == "True"}


@pytest.mark.parametrize(
    ("facts", "phase", "expected"),
    [
        pytest.param(Circumstances(JobState.WAITING, 1, waits=Kind.ROOM), Phase.PENDING, {"Reconciling"}, id="waiting"),
        pytest.param(Circumstances(JobState.BACKOFF, 1, waits=Kind.BACKOFF, failure=FAILURE), Phase.PENDING,
            {"Reconciling"}, id="backing-off"),
        pytest.param(Circumstances(JobState.QUEUED, 1, dispatched=True), Phase.QUEUED, {"Dispatched", "Reconciling"},
            id="queued"),
        pytest.param(Circumstances(JobState.QUEUED, 1, dispatched=True, waits=Kind.NO_WORKER), Phase.QUEUED,
            {"Dispatched", "Reconciling"}, id="queued-without-workers"),
        pytest.param(Circumstances(JobState.RUNNING, 1, dispatched=True, held=True), Phase.RUNNING,
            {"Dispatched", "Running", "Reconciling"}, id="running"),
        pytest.param(Circumstances(JobState.RECOVERING, 1, dispatched=True), Phase.RUNNING,
            {"Dispatched", "Reconciling"}, id="lost"),
        pytest.param(Circumstances(JobState.SUSPENDED, 1, waits=Kind.SUSPENDED, dispatched=True), Phase.SUSPENDED,
            {"Suspended"}, id="suspended"),
        pytest.param(Circumstances(JobState.CANCELLING, 1, requested=True, confirmed=True), Phase.CANCELLING,
            {"CancelRequested", "Reconciling"}, id="cancelling"),
        pytest.param(
            Circumstances(JobState.CANCELLING, 1, dispatched=True, held=True, stopping=True, requested=True,
                confirmed=True),
            Phase.CANCELLING, {"Dispatched", "Running", "CancelRequested", "Reconciling"}, id="cancelling-what-runs"),
        pytest.param(Circumstances(JobState.SUCCEEDED, 1, dispatched=True), Phase.SUCCEEDED,
            {"Dispatched", "Complete", "Finished"}, id="succeeded"),
        pytest.param(Circumstances(JobState.FAILED, 1, dispatched=True, failure=FAILURE), Phase.FAILED,
            {"Dispatched", "Failed", "Finished", "Stalled"}, id="failed"),
        pytest.param(Circumstances(JobState.CANCELLED, 1, requested=True, confirmed=True), Phase.CANCELLED,
            {"CancelRequested", "Cancelled", "Finished"}, id="cancelled"),
    ],
)  # fmt: skip
def test_the_true_conditions_of_each_state(facts: Circumstances, phase: Phase, expected: set[str]) -> None:
    assert conditions(facts, (), NOW)[0] is phase
    assert true(facts) == expected | {"Accepted"}


def test_a_spec_that_is_not_accepted_has_failed() -> None:
    facts = Circumstances(JobState.INVALID, 1, failure=Failure("INVALID_SPEC", "spec.input.uri is wrong."))

    phase, listed = conditions(facts, (), NOW)

    assert phase is Phase.FAILED
    assert {condition.type: (condition.status, condition.reason) for condition in listed} == {
        "Accepted": ("False", "InvalidSpec"),
        "Dispatched": ("False", "NotDispatched"),
        "Running": ("False", "Ended"),
        "Suspended": ("False", "NotSuspended"),
        "CancelRequested": ("False", "NotRequested"),
        "Complete": ("False", "Failed"),
        "Failed": ("True", "InvalidSpec"),
        "Cancelled": ("False", "Failed"),
        "Finished": ("True", "Failed"),
        "Reconciling": ("False", "Finished"),
        "Stalled": ("True", "InvalidSpec"),
    }
    assert listed[0].message == "spec.input.uri is wrong."


@pytest.mark.parametrize(
    ("facts", "first"),
    [
        pytest.param(Circumstances(JobState.WAITING, 1, waits=Kind.QUEUE_UNSERVED), ["Dispatched", "Accepted"],
            id="what-it-waits-for"),
        pytest.param(Circumstances(JobState.RUNNING, 1, dispatched=True, held=True, requested=True),
            ["CancelRequested", "Running"], id="an-announced-cancel"),
        pytest.param(Circumstances(JobState.RECOVERING, 1), ["Running", "Accepted"], id="not-known"),
        pytest.param(Circumstances(JobState.SUSPENDED, 1), ["Suspended", "Accepted"], id="suspended"),
        pytest.param(Circumstances(JobState.FAILED, 1, failure=FAILURE, dispatched=True), ["Failed", "Dispatched"],
            id="failed"),
        pytest.param(Circumstances(JobState.SUCCEEDED, 1), ["Complete", "Accepted"], id="succeeded"),
    ],
)  # fmt: skip
def test_the_first_conditions_are_those_that_matter(facts: Circumstances, first: list[str]) -> None:
    _, listed = conditions(facts, (), NOW)

    assert [condition.type for condition in listed[:2]] == first


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        pytest.param(Circumstances(JobState.RUNNING, 1, requested=True), {"CancelRequested"}, id="requested"),
        pytest.param(Circumstances(JobState.CANCELLED, 1, requested=True, confirmed=True),
            {"CancelRequested", "Cancelled"}, id="cancelled"),
        pytest.param(Circumstances(JobState.RUNNING, 1), set(), id="withdrawn"),
    ],
)  # fmt: skip
def test_the_reason_of_a_cancel_is_in_its_true_conditions(facts: Circumstances, expected: set[str]) -> None:
    _, listed = conditions(replace(facts, cancel_reason="wrong photos"), (), NOW)

    assert {condition.type for condition in listed if condition.message.endswith(" Reason: wrong photos")} == expected


def test_a_transition_time_changes_only_with_the_status() -> None:
    _, before = conditions(Circumstances(JobState.QUEUED, 1, dispatched=True), (), NOW)

    _, after = conditions(Circumstances(JobState.RUNNING, 2, dispatched=True, held=True), before, LATER)

    times = {condition.type: condition.last_transition_time for condition in after}
    assert times.pop("Running") == LATER
    assert set(times.values()) == {NOW}
    assert {condition.observed_generation for condition in after} == {2}


def test_two_jobs_with_the_same_facts_have_their_own_transition_times() -> None:
    facts = Circumstances(JobState.QUEUED, 1, dispatched=True)

    written = [conditions(facts, (), at)[1] for at in (NOW, LATER)]

    assert [{condition.last_transition_time for condition in listed} for listed in written] == [{NOW}, {LATER}]


@pytest.mark.parametrize(
    ("kind", "before", "facts", "reason"),
    [
        pytest.param("Suspended", ("True", "Suspended"), Circumstances(JobState.WAITING, 1, waits=Kind.ROOM),
            "Resumed", id="resumed"),
        pytest.param("Suspended", ("False", "Resumed"), Circumstances(JobState.QUEUED, 1), "Resumed",
            id="still-resumed"),
        pytest.param("Suspended", ("False", "Suspending"), Circumstances(JobState.RUNNING, 1), "NotSuspended",
            id="not-suspended-after-all"),
        pytest.param("Suspended", ("False", "NotSuspended"), Circumstances(JobState.QUEUED, 1, suspending=True),
            "Suspending", id="suspending"),
        pytest.param("CancelRequested", ("True", "Requested"), Circumstances(JobState.QUEUED, 1), "Withdrawn",
            id="withdrawn"),
        pytest.param("CancelRequested", ("False", "Withdrawn"), Circumstances(JobState.QUEUED, 1), "Withdrawn",
            id="still-withdrawn"),
        pytest.param("CancelRequested", ("False", "Withdrawn"), Circumstances(JobState.QUEUED, 1, requested=True),
            "Requested", id="requested-again"),
        pytest.param("Running", ("True", "Started"), Circumstances(JobState.BACKOFF, 1, cause="OUT_OF_MEMORY"),
            "AttemptFailed", id="failed"),
        pytest.param("Running", ("True", "Started"), Circumstances(JobState.WAITING, 1, cause="REDIS_LOST"),
            "RedisLost", id="redis-lost"),
        pytest.param("Running", ("True", "Started"), Circumstances(JobState.WAITING, 1, cause="DRAINED"), "Drained",
            id="drained"),
        pytest.param("Running", ("True", "Started"), Circumstances(JobState.WAITING, 1, cause="SUPERSEDED"),
            "Superseded", id="superseded"),
        pytest.param("Running", ("True", "Started"), Circumstances(JobState.WAITING, 1, cause="NEVER_HEARD_OF"),
            "AttemptFailed", id="a-newer-workers-reason"),
        pytest.param("Running", ("False", "Drained"), Circumstances(JobState.QUEUED, 1, dispatched=True), "Drained",
            id="still-drained"),
        pytest.param("Running", ("False", "Drained"), Circumstances(JobState.SUSPENDED, 1), "Suspended",
            id="drained-and-suspended"),
        pytest.param("Dispatched", ("True", "Dispatched"),
            Circumstances(JobState.QUEUED, 1, dispatched=True, waits=Kind.NO_WORKER), "NoWorker",
            id="no-worker-listens"),
        pytest.param("Dispatched", ("True", "NoWorker"), Circumstances(JobState.RUNNING, 1, dispatched=True),
            "Dispatched", id="a-worker-took-it"),
    ],
)  # fmt: skip
def test_reasons_of_past_transitions_are_kept(
    kind: str, before: tuple[str, str], facts: Circumstances, reason: str
) -> None:
    _, listed = conditions(facts, (Condition(kind, before[0], before[1], "", NOW, 1),), LATER)

    assert next(condition for condition in listed if condition.type == kind).reason == reason


@given(
    state=st.sampled_from(JobState),
    waits=st.sampled_from([None, *Kind]),
    bits=st.lists(st.booleans(), min_size=6, max_size=6),
    cause=st.sampled_from(["", "OUT_OF_MEMORY", "DRAINED", "REDIS_LOST", "SUSPENDED", "DELETED"]),
    reason=st.sampled_from([None, "OUT_OF_MEMORY", "TIMEOUT", "INVALID_SPEC"]),
    before=st.lists(st.sampled_from(sorted(CONDITION_REASONS)), unique_by=lambda row: row[0]),
)
def test_all_conditions_are_present_documented_and_consistent(  # noqa: PLR0917  # drawn by name
    state: JobState,
    waits: Kind | None,
    bits: list[bool],
    cause: str,
    reason: str | None,
    before: list[tuple[ConditionType, str]],
) -> None:
    failure = Failure(reason, "why") if reason else None
    facts = Circumstances(state, 3, "now", waits, *bits, cause=cause, failure=failure)
    old = tuple(
        Condition(kind.value, CONDITION_REASONS[kind, why].status, why, "as before", NOW, 1) for kind, why in before
    )

    phase, listed = conditions(facts, old, LATER)

    contested = [kind for kind, _ in before if kind is ConditionType.CONTESTED and not phase.finished]
    checked = [kind for kind, _ in before if kind is ConditionType.INPUT_CHECKED]
    assert sorted(condition.type for condition in listed) == sorted([*PERMANENT, *checked, *contested])
    assert all(
        CONDITION_REASONS[ConditionType(condition.type), condition.reason].status == condition.status
        for condition in listed
    )
    assert all(condition.last_transition_time in (NOW, LATER) and condition.message for condition in listed)
    is_true = {condition.type for condition in listed if condition.status == "True"}
    assert len(is_true & {"Complete", "Failed", "Cancelled"}) == ("Finished" in is_true) == phase.finished


def test_a_reason_has_one_meaning() -> None:
    rows = CONDITION_REASONS.values()

    assert {row.type for row in rows} == set(ConditionType)
    assert all(row.reason.isalnum() and row.reason[0].isupper() and row.meaning for row in rows)
