"""Ownership: the calls of one delivery. tests/real/state tests their scripts."""

from __future__ import annotations

import pytest
import redis
from reconstruction_operator.contract.outcomes import Outcome
from reconstruction_operator.contract.records import End
from reconstruction_operator.services import job_manager
from reconstruction_operator.state import calls, worker_calls
from reconstruction_operator.state.replies import ClaimVerdict, FinishVerdict
from reconstruction_operator.worker.attempt.ownership import LIFE, Ownership

from tests.support.worker.attempts import JOB, want

DONE = End(Outcome.SUCCEEDED)


def delivery(token: str, *, attempt: int | None = 1) -> Ownership:
    task_id = f"{JOB}-{attempt}" if attempt else JOB
    return Ownership(JOB, task_id, attempt, token, f"{token}@node")


@pytest.fixture(autouse=True)
def _wanted(client: redis.Redis) -> None:
    want(client, 1)


def test_an_attempt_belongs_to_its_first_delivery_from_claim_to_end() -> None:
    first, second = delivery("one"), delivery("two")

    assert (first.claim().verdict, second.claim().verdict) == (ClaimVerdict.CLAIMED, ClaimVerdict.DUPLICATE)
    assert (first.beat().owned, second.beat().owned) == (True, False)
    assert second.finish(DONE).verdict is FinishVerdict.SUPERSEDED
    assert first.finish(DONE).verdict is FinishVerdict.RECORDED


def test_a_bare_task_needs_no_record(client: redis.Redis) -> None:
    client.flushall()
    assert delivery("one").claim().verdict is ClaimVerdict.NO_RECORD
    assert delivery("one", attempt=None).claim().verdict is ClaimVerdict.CLAIMED


@pytest.mark.parametrize(("life", "drains"), [(LIFE, True), ("another", False)], ids=["this worker", "an earlier one"])
def test_a_beat_reports_when_this_workers_drain_ends(client: redis.Redis, life: str, drains: bool) -> None:
    owned = delivery("one")
    owned.claim()
    assert owned.beat().drain_at is None

    calls.run(client, worker_calls.start_draining(owned.keys, owned.worker, life, seconds=60))
    assert (owned.beat().drain_at is not None) is drains


def test_a_confirmed_cancel_is_found_by_the_flag_and_by_a_beat() -> None:
    owned = delivery("one")
    owned.claim()
    assert (owned.cancelled(), owned.beat().cancelled) == (False, False)

    job_manager.request_cancellation(JOB)
    assert (owned.cancelled(), owned.beat().cancelled) == (False, False)

    job_manager.confirm_cancellation(JOB)
    assert (owned.cancelled(), owned.beat().cancelled) == (True, True)
