"""Notifications: which ones a status gets, each once an attempt, and none without an address."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from reconstruction_operator.api.notification import Notification, NotificationState
from reconstruction_operator.api.spec import Location
from reconstruction_operator.api.status import Condition, Phase, Status
from reconstruction_operator.contract.outcomes import Outcome
from reconstruction_operator.contract.records import End
from reconstruction_operator.planning.rules import finished
from reconstruction_operator.planning.types import Observation

from tests.support.plans import HELD, NOW, QUEUED, RECORD, RUNNING, TIMING, job_with, observed, plan

ADDRESS = (("*", "https://events.example.com"),)
WAITS = observed(record=RECORD, workers=1)


def told(
    seen: Observation, status: Status, addresses: Any = ADDRESS, wait_seconds: float = 0, **spec: Any
) -> list[str]:
    """Return the notifications in the next status, as "kind attempt state"."""
    timing = replace(TIMING, notifications=addresses, notification_wait_seconds=wait_seconds)
    planned = plan(job_with(status, **spec), seen, NOW, timing, admitted=False).status
    return [f"{one.kind} {one.attempt} {one.state.value}" for one in planned.notifications]


def ended(outcome: Outcome, reason: str = "") -> Observation:
    return observed(HELD, end=End(outcome, reason, worker="worker-1", at=NOW))


@pytest.mark.parametrize(
    ("seen", "status", "spec", "expected"),
    [
        pytest.param(ended(Outcome.SUCCEEDED), RUNNING, {}, ["Fine 1 Pending"], id="success"),
        pytest.param(ended(Outcome.FAILED, "TOO_FEW_IMAGES"), RUNNING, {}, ["Failed 1 Pending"], id="failure"),
        pytest.param(ended(Outcome.FAILED, "MODEL_FAILED"), RUNNING, {}, [], id="another attempt follows"),
        pytest.param(Observation(), Status(), {"input": Location("ftp://x")}, ["Failed 1 Pending"], id="invalid"),
        pytest.param(HELD, RUNNING, {}, [], id="runs"),
        pytest.param(HELD, RUNNING, {"cancel_requested": True}, ["CancelRequested 1 Pending"], id="cancel requested"),
        pytest.param(
            HELD,
            RUNNING,
            {"cancel_requested": True, "cancel_confirmed": True},
            [],
            id="a confirmed cancel needs nobody",
        ),
    ],
)
def test_an_end_and_a_requested_cancel_are_notified(
    seen: Observation, status: Status, spec: dict[str, Any], expected: list[str]
) -> None:
    assert told(seen, status, **spec) == expected


@pytest.mark.parametrize("addresses", [(), (("other", "https://events.example.com"),)], ids=["none", "of another"])
def test_a_namespace_without_an_address_has_no_notifications(addresses: Any) -> None:
    assert told(ended(Outcome.SUCCEEDED), RUNNING, addresses, cancel_requested=True) == []


@pytest.mark.parametrize(
    ("wait_seconds", "expected"),
    [(59, ["Waiting 1 Pending"]), (61, []), (0, [])],
    ids=["a minute is long", "a minute is not long", "never"],
)
def test_a_long_wait_is_notified(wait_seconds: int, expected: list[str]) -> None:
    assert told(WAITS, QUEUED, wait_seconds=wait_seconds) == expected


def test_the_wait_of_a_later_attempt_begins_with_it() -> None:
    stopped = Condition("Running", "False", "AttemptFailed", last_transition_time=NOW - timedelta(seconds=20))

    assert told(WAITS, replace(QUEUED, conditions=(stopped,)), wait_seconds=30) == []


def test_the_job_is_planned_when_its_wait_becomes_long() -> None:
    timing = replace(TIMING, notifications=ADDRESS, notification_wait_seconds=100)

    planned = plan(job_with(QUEUED), WAITS, NOW, timing, admitted=False)

    assert planned.wake_at == NOW + timedelta(seconds=40)


def test_a_kind_is_notified_once_an_attempt_and_what_is_sent_leaves_with_its_attempt() -> None:
    sent = Notification("CancelRequested", 1, NOW, NotificationState.SENT)
    unsent = Notification("Waiting", 1, NOW)
    first = replace(RUNNING, notifications=(sent, unsent))
    second = replace(first, attempt=2)
    seen = observed(HELD, record=replace(RECORD, attempt=replace(RECORD.attempt, number=2)))

    assert told(HELD, first, cancel_requested=True) == ["CancelRequested 1 Sent", "Waiting 1 Pending"]
    assert told(seen, second, cancel_requested=True) == ["Waiting 1 Pending", "CancelRequested 2 Pending"]


def test_the_end_has_a_place_in_a_full_list() -> None:
    full = tuple(Notification("Waiting", number + 2, NOW) for number in range(15))

    assert told(HELD, replace(RUNNING, notifications=full), cancel_requested=True)[-1] == "Waiting 16 Pending"
    assert told(ended(Outcome.SUCCEEDED), replace(RUNNING, notifications=full))[-1] == "Fine 1 Pending"


@pytest.mark.parametrize(
    ("state", "expected"), [(NotificationState.PENDING, None), (NotificationState.SENT, NOW)], ids=["unsent", "sent"]
)
def test_the_time_to_live_waits_for_unsent_notifications(state: NotificationState, expected: Any) -> None:
    over = Status(1, Phase.SUCCEEDED, completion_time=NOW, attempt=1)
    job = job_with(replace(over, notifications=(Notification("Fine", 1, NOW, state),)), ttl_seconds_after_finished=0)

    assert finished.next_plan(job, NOW, 0) == expected
