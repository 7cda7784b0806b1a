"""Claims and epochs: what a claim shows in another epoch, or when Redis has lost an end."""

import pytest
import redis
from reconstruction_operator.contract.outcomes import Outcome
from reconstruction_operator.contract.records import End
from reconstruction_operator.state import operator_calls

from tests.support.protocol.caller import TASK, Caller


@pytest.fixture
def running(do: Caller) -> Caller:
    """With attempt 1 claimed by a worker."""
    do.order(operator_calls.open_epoch, run_id="run")
    do.want()
    do.claim()
    return do


def test_a_worker_counts_as_heard_in_another_epoch_after_its_next_heartbeat(
    running: Caller, client: redis.Redis
) -> None:
    first = running.seen()
    running.order(operator_calls.open_epoch, run_id="run-2")
    before = running.seen()
    running.beat()
    after = running.seen()
    client.hdel("claim:job-1", "epoch")

    assert [(job.heard, job.alive, job.stale) for job in (first, before, after)] == [
        (True, True, False),
        (False, False, True),
        (True, True, False),
    ]
    assert before.claim.at == after.claim.at
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
