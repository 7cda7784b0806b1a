"""Reads of whole batches, and of foreign values."""

import pytest
import redis
from reconstruction_operator.contract.keys import Keys
from reconstruction_operator.contract.outcomes import Outcome
from reconstruction_operator.contract.records import ObservedJob
from reconstruction_operator.state import fields, operator_calls, reads, replies, worker_calls

from tests.support.protocol.caller import Caller
from tests.support.protocol.foreign import put_foreign

OF_A_JOB = ("job:job", "alive:job")


def test_a_full_batch_keeps_its_order(do: Caller) -> None:
    ids = [f"job-{index}" for index in range(reads.OBSERVE_BATCH)]
    for job_id in ids[::7]:
        do.want(job_id=job_id, name=job_id)
    names = [
        job.record.attempt.job.name if job.record else None
        for job in do(reads.observe, [(job_id, 1) for job_id in ids]).jobs
    ]
    assert names == [job_id if index % 7 == 0 else None for index, job_id in enumerate(ids)]


@pytest.mark.parametrize(
    ("flags", "seen"),
    [
        pytest.param({"cancel_request:job": 100}, (True, False, 100), id="requested"),
        pytest.param({"cancel:job": 200}, (False, True, 200), id="confirmed"),
        pytest.param({"cancel_request:job": 100, "cancel:job": 200}, (True, True, 200), id="confirmation-first"),
        pytest.param({"cancel:job": None}, (False, True, -1), id="without-a-ttl"),
    ],
)
def test_flags_are_seen_with_their_ttl(
    client: redis.Redis, do: Caller, flags: dict[str, int | None], seen: tuple[bool, bool, int]
) -> None:
    for key, seconds in flags.items():
        client.set(key, "x", ex=seconds)
    job = do.seen()
    ttl = -1 if job.flag_ttl_seconds is None else round(job.flag_ttl_seconds)
    assert (job.requested, job.confirmed, ttl) == seen


@pytest.mark.parametrize("kind", ["string", "list", "set", "hash"])
def test_foreign_values_read_as_absent_and_are_replaced(client: redis.Redis, do: Caller, kind: str) -> None:
    for key in (*OF_A_JOB, "records:install", "fence:install", "workers", "epoch"):
        put_foreign(client, key, kind)
    assert do.seen() == ObservedJob()
    do.order(operator_calls.open_epoch, run_id="run")
    do.want()
    assert do.claim().code is replies.ClaimCode.CLAIMED
    seen = do.seen()
    assert (seen.record is not None, seen.claim is not None, seen.alive) == (True, True, True)
    assert "job" in do(reads.list_records, "install")


def test_oversized_details_are_not_sent(client: redis.Redis, do: Caller) -> None:
    details = '{"message":"' + "x" * fields.MAX_VALUE_BYTES + '"}'
    do.want()
    client.hset("job:job", mapping={"outcome": "Succeeded", "ended_at": 1, "details": details})
    end = do.seen().end
    assert (end.outcome, end.message) == (Outcome.SUCCEEDED, "")


def test_every_key_has_the_prefix(client: redis.Redis) -> None:
    do = Caller(client, Keys(prefix="team-a:"))
    do.order(operator_calls.open_epoch, run_id="run")
    do.want()
    do.claim()
    do(worker_calls.register_worker, node="w", queues=())
    assert [worker.node for worker in do(reads.live_workers)] == ["w"]
    assert [key for key in client.keys("*") if not key.startswith("team-a:")] == []
