"""Ownership: two deliveries of one attempt, by the scripts themselves."""

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


def test_the_second_delivery_of_an_attempt_is_a_duplicate() -> None:
    first, second = delivery("one"), delivery("two")

    assert first.claim().verdict is ClaimVerdict.CLAIMED
    assert second.claim().verdict is ClaimVerdict.DUPLICATE
    assert (first.beat().owned, second.beat().owned) == (True, False)


def test_an_attempt_that_is_not_wanted_cannot_be_claimed(client: redis.Redis) -> None:
    want(client, 2)
    assert delivery("one").claim().verdict is ClaimVerdict.UNWANTED


def test_an_attempt_without_a_record_cannot_be_claimed_and_a_bare_task_can(client: redis.Redis) -> None:
    client.flushall()
    assert delivery("one").claim().verdict is ClaimVerdict.NO_RECORD
    assert delivery("one", attempt=None).claim().verdict is ClaimVerdict.CLAIMED


@pytest.mark.parametrize(("life", "drains"), [(LIFE, True), ("another", False)], ids=["this worker", "one before it"])
def test_a_beat_reports_when_this_workers_drain_ends(client: redis.Redis, life: str, drains: bool) -> None:
    owned = delivery("one")
    owned.claim()
    assert owned.beat().drain_at is None

    calls.run(client, worker_calls.start_draining(owned.keys, owned.worker, life, seconds=60))
    assert (owned.beat().drain_at is not None) is drains


def test_a_confirmed_cancel_is_seen_by_a_look_and_by_a_beat() -> None:
    owned = delivery("one")
    owned.claim()
    assert (owned.cancelled(), owned.beat().cancelled) == (False, False)

    job_manager.request_cancellation(JOB)
    assert (owned.cancelled(), owned.beat().cancelled) == (False, False)

    job_manager.confirm_cancellation(JOB)
    assert (owned.cancelled(), owned.beat().cancelled) == (True, True)


def test_one_end_counts_and_its_delivery_may_repeat_it() -> None:
    first, second = delivery("one"), delivery("two")
    first.claim()

    assert second.finish(DONE).verdict is FinishVerdict.OVERTAKEN
    assert first.finish(DONE).verdict is FinishVerdict.RECORDED
    assert first.finish(End(Outcome.FAILED, "WORKER_ERROR")).verdict is FinishVerdict.ALREADY

    late = second.finish(DONE)
    assert late.verdict is FinishVerdict.OVERTAKEN
    assert late.end is not None
    assert late.end.outcome is Outcome.SUCCEEDED


def test_a_success_after_a_confirmed_cancel_is_not_recorded() -> None:
    owned = delivery("one")
    owned.claim()
    job_manager.assert_cancelled(JOB)

    assert owned.finish(DONE).verdict is FinishVerdict.CANCELLED
    assert owned.finish(End(Outcome.CANCELLED)).verdict is FinishVerdict.RECORDED


def test_a_beat_after_an_end_that_redis_has_lost_revives_nothing(client: redis.Redis) -> None:
    owned = delivery("one")
    owned.claim()
    owned.finish(DONE)
    client.delete(owned.keys.end(owned.task_id))

    assert owned.beat().owned
    assert not client.exists(owned.keys.alive(owned.task_id))
