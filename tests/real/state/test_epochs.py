"""Claims and epochs: what a claim tells when Redis has lost an end, or came back with data of before."""

from collections.abc import Callable
from typing import Any

import pytest
import redis
from reconstruction_operator import config
from reconstruction_operator.api.identity import TaskId
from reconstruction_operator.contract.outcomes import Outcome
from reconstruction_operator.contract.records import End, ObservedJob
from reconstruction_operator.state import operator_calls, reads, worker_calls

Do = Callable[..., Any]
TASK = TaskId("job", 1)
LEADER: dict[str, Any] = {"fence": 1, "install_id": "install"}
RUN: dict[str, Any] = {"task_id": "job-1", "job_id": "job", "attempt": 1, "token": "t"}


def _seen(do: Do) -> ObservedJob:
    return do(reads.observe, [("job", TASK)]).jobs[0]  # type: ignore[no-any-return]


def _restore(client: redis.Redis, snapshot: dict[str, bytes]) -> None:
    client.flushdb()
    for key, value in snapshot.items():
        client.restore(key, 0, value)


@pytest.fixture
def raw(redis_settings: None) -> redis.Redis:
    """A client that can read a dump."""
    return redis.Redis.from_url(config.settings.REDIS_STATE_DB)


@pytest.fixture
def running(do: Do) -> Do:
    """With attempt 1 claimed by a worker."""
    do(operator_calls.open_epoch, **LEADER, run_id="run")
    do(operator_calls.put_record, **LEADER, job_id="job", namespace="ns", name="n", attempt=1, queue="celery")
    do(worker_calls.claim, **RUN, worker="w")
    return do


def test_a_worker_counts_as_heard_in_the_epoch_of_its_claim(running: Do) -> None:
    seen = _seen(running)
    assert (seen.heard, seen.alive, seen.stale) == (True, True, False)


def test_a_worker_counts_as_heard_in_another_epoch_after_its_next_heartbeat(running: Do) -> None:
    running(operator_calls.open_epoch, **LEADER, run_id="run-2")
    before = _seen(running)
    running(worker_calls.beat, **RUN, worker="w", life="life")
    after = _seen(running)

    assert (before.heard, before.alive, before.stale) == (False, False, True)
    assert (after.heard, after.alive, after.stale) == (True, True, False)
    assert before.claim is not None
    assert after.claim is not None
    assert before.claim.at == after.claim.at


def test_a_claim_without_an_epoch_counts_as_heard(running: Do, client: redis.Redis) -> None:
    client.hdel("claim:job-1", "epoch")
    assert _seen(running).heard


@pytest.mark.parametrize("by", ["the worker", "the operator"])
def test_a_claim_shows_that_its_end_is_lost(running: Do, client: redis.Redis, by: str) -> None:
    if by == "the worker":
        running(worker_calls.finish, **RUN, end=End(Outcome.SUCCEEDED, worker="w"))
    else:
        client.delete("alive:job-1")
        running(operator_calls.force_end, **LEADER, task=TASK, end=End(Outcome.FAILED, "WORKER_LOST"))
    client.delete("end:job-1")

    assert _seen(running).stale
    assert running(worker_calls.beat, **RUN, worker="w", life="life").owned
    assert not _seen(running).alive


def test_older_data_of_the_same_server_has_a_smaller_number_of_looks(
    running: Do, client: redis.Redis, raw: redis.Redis
) -> None:
    _seen(running)
    snapshot = {key: raw.dump(key) for key in client.keys("*")}
    known = running(reads.observe, [("job", TASK)]).looks.after
    _restore(raw, snapshot)  # type: ignore[arg-type]  # as wide as redis-py's annotation

    assert running(reads.observe, [("job", TASK)]).looks.before < known
    running(operator_calls.open_epoch, **LEADER, run_id="run", known_looks=known + 1)
    assert _seen(running).stale
