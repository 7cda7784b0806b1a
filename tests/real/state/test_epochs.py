"""Claims and epochs: what a claim shows in another epoch."""

import pytest
import redis
from reconstruction_operator.state import operator_calls

from tests.support.protocol.caller import Caller


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
    client.hdel("job:job", "epoch")

    assert [(job.heard, job.alive, job.stale) for job in (first, before, after)] == [
        (True, True, False),
        (False, False, True),
        (True, True, False),
    ]
    assert before.claim.at == after.claim.at
    assert running.seen().heard
