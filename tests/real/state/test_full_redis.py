"""A full Redis: ends, stops, cancels and deletions still work, and nothing new is dispatched."""

from collections.abc import Iterator
from typing import Any

import pytest
import redis
from reconstruction_operator.contract.keys import Keys
from reconstruction_operator.contract.outcomes import Outcome, StopReason
from reconstruction_operator.contract.records import End
from reconstruction_operator.services import job_manager
from reconstruction_operator.state import operator_calls, reads, worker_calls
from reconstruction_operator.state.replies import ClaimCode, FinishCode
from redis.exceptions import OutOfMemoryError, ResponseError

from tests.support.protocol.caller import RUN, TASK, Caller, attempt_of

OTHER = attempt_of("other")
NEXT: dict[str, Any] = {"fence": 6, "install_id": "install"}  # elected while Redis is full
STOPPED = End(Outcome.STOPPED, "DELETED", "The job's object was deleted.")


@pytest.fixture
def full(client: redis.Redis, do: Caller) -> Iterator[redis.Redis]:
    """Full, and holds the records of two jobs, one of which a worker runs."""
    for task in (TASK, OTHER):
        do.want(job_id=task.job_id)
    assert do.claim().code is ClaimCode.CLAIMED
    client.config_set("maxmemory", 1)
    yield client
    client.config_set("maxmemory", 0)


def test_nothing_is_dispatched(full: redis.Redis, do: Caller) -> None:
    with pytest.raises(ResponseError, match="OOM"):
        do.want(job_id="new")
    with pytest.raises(OutOfMemoryError):
        full.lpush("celery", "a message")


def test_a_cancel_is_requested_confirmed_and_ends(full: redis.Redis, do: Caller) -> None:
    do.flag("request", **NEXT)
    do.flag("confirm", **NEXT)

    assert do.beat().cancelled
    assert do.finish(end=End(Outcome.CANCELLED)).code is FinishCode.RECORDED
    do(worker_calls.mark_cleaned, "job")
    assert do.seen().cleaned


def test_the_job_manager_cancels(full: redis.Redis) -> None:
    assert job_manager.request_cancellation("job")
    assert job_manager.confirm_cancellation("job")
    assert job_manager.is_job_cancelled("job")
    assert job_manager.assert_cancelled("other")
    assert job_manager.is_job_cancelled("other")
    assert full.ttl(Keys().cancel("other")) > 3_500


def test_an_attempt_is_stopped(full: redis.Redis, do: Caller) -> None:
    do.order(operator_calls.request_stop, attempt=TASK, reason=StopReason.SUSPEND)

    assert do.beat().stop is StopReason.SUSPEND


def test_a_waiting_attempt_and_a_silent_one_are_ended(full: redis.Redis, do: Caller) -> None:
    assert do.end(STOPPED, OTHER).outcome is Outcome.STOPPED
    assert do.end(STOPPED, attempt_of("other", 2)).outcome is Outcome.STOPPED  # which was never sent
    full.delete(Keys().alive("job"))
    assert do.end(STOPPED, is_lost=True).outcome is Outcome.STOPPED


def test_a_deleted_job_is_forgotten(full: redis.Redis, do: Caller) -> None:
    assert do.end(STOPPED, OTHER)
    assert do.order(operator_calls.forget, job_id="other")

    assert not full.keys("*other*")


def test_a_message_that_waits_is_claimed_and_a_worker_stays_registered(full: redis.Redis, do: Caller) -> None:
    claim = do.claim(RUN | {"attempt": OTHER})
    do(worker_calls.register_worker, node="w", queues=("celery",))

    assert claim.code is ClaimCode.CLAIMED
    assert [worker.node for worker in do(reads.live_workers)] == ["w"]
    assert full.ttl(Keys().worker("w")) > 0
