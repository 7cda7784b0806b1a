"""Jobs that may kill their workers are tried one at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reconstruction_operator.api.identity import JobKey
from reconstruction_operator.api.status import Failure, Phase, Status
from reconstruction_operator.contract.outcomes import Outcome
from reconstruction_operator.contract.records import Claim, End, Record
from reconstruction_operator.planning.scheduling import Candidate, Quarantine, admit, quarantine
from reconstruction_operator.planning.types import Observation, Plan, Queue

Look = Callable[..., Plan]

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
QUARANTINE = Quarantine("celery", "Worker worker-1 gave no sign of life")
LOST = Failure("WORKER_LOST", QUARANTINE.loss, retriable=True)


def waiting(name: str, age: int = 0, of: Quarantine | None = QUARANTINE) -> Candidate:
    return Candidate(JobKey("team", name, f"uid-{name}"), "celery", NOW - timedelta(seconds=age), quarantine=of)


def names(keys: tuple[JobKey, ...]) -> list[str]:
    return [key.name for key in keys]


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        pytest.param(Status(), None, id="new"),
        pytest.param(Status(failures=1, failure=LOST), None, id="a-first-loss-is-an-ordinary-one"),
        pytest.param(Status(failures=2, failure=LOST), QUARANTINE, id="a-second-loss"),
        pytest.param(Status(failures=9, failure=LOST), QUARANTINE, id="a-ninth-loss"),
        pytest.param(Status(failures=2, failure=replace(LOST, reason="DISK_FULL")), None, id="it-failed-by-itself"),
        pytest.param(Status(failures=2), None, id="a-status-without-its-failure"),
    ],
)
def test_who_is_suspected_of_killing_workers(status: Status, expected: Quarantine | None) -> None:
    assert quarantine("celery", status) == expected


def test_those_that_lost_the_same_worker_are_suspected_together_and_others_are_not(look: Look) -> None:
    def after_the_loss_of(worker: str) -> Quarantine | None:
        running = Status(phase=Phase.RUNNING, attempt=2, failures=1, worker=worker)
        claim = Claim("token", worker, by_operator=False, at=NOW)
        silent = Observation(record=Record("install", "team", "a", 2, "celery"), claim=claim, silent_seconds=1e6)
        (force,) = look(silent, running).actions
        end = End(Outcome.FAILED, force.reason, force.message)
        return quarantine("celery", look(replace(silent, end=end), running).status)

    assert after_the_loss_of("worker-1") == after_the_loss_of("worker-1") is not None
    assert after_the_loss_of("worker-1") != after_the_loss_of("worker-2")


@pytest.mark.parametrize(
    ("candidates", "tried", "expected"),
    [
        pytest.param([waiting("a", 1), waiting("b", 2)], [], ["b"], id="the-oldest-alone"),
        pytest.param([waiting("a"), waiting("b")], [], ["a"], id="equal-ones-go-by-name"),
        pytest.param([waiting("a"), waiting("b", of=None)], [QUARANTINE], ["b"], id="one-is-being-tried"),
        pytest.param([waiting("a"), waiting("b", of=None), waiting("c", of=None)], [], ["a", "b", "c"], id="beside-the-unsuspected"),
        pytest.param([waiting("a"), waiting("b", of=Quarantine("celery", "other"))], [QUARANTINE], ["b"], id="another-quarantine"),
    ],
)  # fmt: skip
def test_one_of_each_suspicion_is_let_in(
    candidates: list[Candidate], tried: list[Quarantine], expected: list[str]
) -> None:
    assert sorted(names(admit(candidates, {}, 10, tried))) == expected


@given(
    candidates=st.lists(
        st.builds(
            waiting,
            st.integers(0, 40).map(str),
            st.integers(0, 5),
            st.sampled_from([None, QUARANTINE, Quarantine("celery", "other")]),
        ),
        unique_by=lambda one: one.key,
    ),
    tried=st.sets(st.just(QUARANTINE)),
    window=st.integers(0, 12),
)
def test_suspects_are_never_together_and_nobody_is_left_while_there_is_room(
    candidates: list[Candidate], tried: set[Quarantine], window: int
) -> None:
    admitted = set(admit(candidates, {}, window, tried))
    let = [one.quarantine for one in candidates if one.key in admitted and one.quarantine is not None]
    left = [one.quarantine for one in candidates if one.key not in admitted]

    assert len(let) == len(set(let))
    assert not set(let) & tried
    assert len(admitted) == window or set(left) <= set(let) | tried


@pytest.mark.parametrize(
    ("failures", "workers", "message"),
    [
        pytest.param(1, 1, "Waiting for room in queue celery", id="not-suspected"),
        pytest.param(
            2,
            1,
            "Waiting for its turn in queue celery: jobs that lost the same worker are tried one after another",
            id="suspected",
        ),
        pytest.param(2, 0, "Waiting for a worker: no live worker listens to queue celery", id="nobody-listens"),
    ],
)
def test_what_a_job_waits_for_is_said(look: Look, failures: int, workers: int, message: str) -> None:
    stored = Status(phase=Phase.PENDING, attempt=failures + 1, failures=failures, failure=LOST)

    plan = look(Observation(queue=Queue(workers=workers)), stored)

    assert plan.status.message == message
    assert plan.wants_dispatch
