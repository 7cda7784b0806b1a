"""Claims and epochs: what a claim shows when Redis has lost an end, or came back with older data."""

import pytest
import redis
from reconstruction_operator import config
from reconstruction_operator.contract.outcomes import Outcome
from reconstruction_operator.contract.records import End
from reconstruction_operator.state import operator_calls, reads

from tests.support.protocol.caller import TASK, Caller


def _restore(client: redis.Redis, snapshot: dict[str, bytes]) -> None:
    client.flushdb()
    for key, value in snapshot.items():
        client.restore(key, 0, value)


@pytest.fixture
def raw(redis_settings: None) -> redis.Redis:
    """A client that can read a dump."""
    return redis.Redis.from_url(config.settings.REDIS_STATE_DB)


@pytest.fixture
def running(do: Caller) -> Caller:
    """With attempt 1 claimed by a worker."""
    do.order(operator_calls.open_epoch, run_id="run")
    do.want()
    do.claim()
    return do


def test_a_worker_counts_as_heard_in_the_epoch_of_its_claim(running: Caller) -> None:
    seen = running.seen()
    assert (seen.heard, seen.alive, seen.stale) == (True, True, False)


def test_a_worker_counts_as_heard_in_another_epoch_after_its_next_heartbeat(running: Caller) -> None:
    running.order(operator_calls.open_epoch, run_id="run-2")
    before = running.seen()
    running.beat()
    after = running.seen()

    assert (before.heard, before.alive, before.stale) == (False, False, True)
    assert (after.heard, after.alive, after.stale) == (True, True, False)
    assert before.claim.at == after.claim.at


def test_a_claim_without_an_epoch_counts_as_heard(running: Caller, client: redis.Redis) -> None:
    client.hdel("claim:job-1", "epoch")
    assert running.seen().heard


@pytest.mark.parametrize("by", ["the worker", "the operator"])
def test_a_claim_shows_that_its_end_is_lost(running: Caller, client: redis.Redis, by: str) -> None:
    if by == "the worker":
        running.finish()
    else:
        client.delete("alive:job-1")
        running.order(operator_calls.force_end, task=TASK, end=End(Outcome.FAILED, "WORKER_LOST"))
    client.delete("end:job-1")

    assert running.seen().stale
    assert running.beat().owned
    assert not running.seen().alive
    running.want(2)
    assert not running.beat().owned  # a lost end does not hide that another attempt follows


def test_older_data_of_the_same_server_has_a_smaller_number_of_looks(
    running: Caller, client: redis.Redis, raw: redis.Redis
) -> None:
    running.seen()
    snapshot = {key: raw.dump(key) for key in client.keys("*")}
    known = running(reads.observe, [("job", TASK)]).looks.after
    _restore(raw, snapshot)  # type: ignore[arg-type]  # as wide as redis-py's annotation

    assert running(reads.observe, [("job", TASK)]).looks.before < known
    running.order(operator_calls.open_epoch, run_id="run", known_looks=known + 1)
    assert running.seen().stale
