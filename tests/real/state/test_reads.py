"""Reads of whole batches, and of malformed values."""

from typing import Any

import pytest
import redis
from reconstruction_operator.api.identity import TaskId
from reconstruction_operator.contract.keys import Keys
from reconstruction_operator.contract.outcomes import Outcome
from reconstruction_operator.contract.records import ObservedJob
from reconstruction_operator.state import calls, fields, operator_calls, reads, replies, worker_calls

from tests.support.protocol.foreign import put_foreign

LEADER: dict[str, Any] = {"fence": 1, "install_id": "install"}
PLACE: dict[str, Any] = {"namespace": "ns", "name": "n", "attempt": 1, "queue": "celery"}
WORKER: dict[str, Any] = {"task_id": "job-1", "job_id": "job", "attempt": 1, "token": "t", "worker": "w"}
OF_A_JOB = ("job:job", "claim:job-1", "alive:job-1", "end:job-1", "stop:job-1")


def observe(client: redis.Redis, keys: Keys, *job_ids: str) -> tuple[ObservedJob, ...]:
    return calls.run(client, reads.observe(keys, [(one, TaskId(one, 1)) for one in job_ids])).jobs


def test_an_unknown_job_is_empty(client: redis.Redis, keys: Keys) -> None:
    assert observe(client, keys, "job") == (ObservedJob(),)


def test_an_empty_batch_has_no_jobs(client: redis.Redis, keys: Keys) -> None:
    assert calls.run(client, reads.observe(keys, [])).jobs == ()


def test_a_full_batch_keeps_its_order(client: redis.Redis, keys: Keys) -> None:
    ids = [f"job-{index}" for index in range(reads.OBSERVE_BATCH)]
    for one in ids[::7]:
        calls.run(client, operator_calls.put_record(keys, **LEADER, job_id=one, **(PLACE | {"name": one})))
    names = [job.record.name if job.record else None for job in observe(client, keys, *ids)]
    assert names == [one if index % 7 == 0 else None for index, one in enumerate(ids)]


@pytest.mark.parametrize(
    ("flags", "seen"),
    [
        pytest.param({"cancel_request:job": 100}, (True, False, 100), id="requested"),
        pytest.param({"cancel:job": 200}, (False, True, 200), id="confirmed"),
        pytest.param({"cancel_request:job": 100, "cancel:job": 200}, (True, True, 200), id="confirmation-first"),
    ],
)
def test_flags_are_seen_with_their_ttl(
    client: redis.Redis, keys: Keys, flags: dict[str, int], seen: tuple[bool, bool, int]
) -> None:
    for key, seconds in flags.items():
        client.set(key, "x", ex=seconds)
    (job,) = observe(client, keys, "job")
    assert job.flag_ttl_seconds is not None
    assert (job.requested, job.confirmed, round(job.flag_ttl_seconds)) == seen


def test_a_flag_without_a_ttl_has_none(client: redis.Redis, keys: Keys) -> None:
    client.set("cancel:job", "1")
    (job,) = observe(client, keys, "job")
    assert (job.confirmed, job.flag_ttl_seconds) == (True, None)


def test_a_heartbeat_of_another_token_does_not_count(client: redis.Redis, keys: Keys) -> None:
    calls.run(client, operator_calls.put_record(keys, **LEADER, job_id="job", **PLACE))
    calls.run(client, worker_calls.claim(keys, **WORKER))
    client.hset("alive:job-1", "token", "other")
    assert observe(client, keys, "job")[0].alive is False


JUNK_TEXTS = {
    "empty": "",
    "cut": "{",
    "list": "[]",
    "null": "null",
    "number": "7",
    "other": '{"a": 1}',
    "binary": "\x00",
    "big": "x" * 100_000,
    "deep": '{"a":' * 9_000,
    "wrong-types": '{"token": {}, "attempt": [], "queue": 7, "outcome": 5, "reason": 1e999, "at": {}}',
}


@pytest.mark.parametrize("junk", JUNK_TEXTS.values(), ids=JUNK_TEXTS)
def test_a_text_under_every_key_reads_as_absent_and_is_replaced(client: redis.Redis, keys: Keys, junk: str) -> None:
    for key in OF_A_JOB:
        client.set(key, junk)
    assert observe(client, keys, "job") == (ObservedJob(),)
    calls.run(client, operator_calls.put_record(keys, **LEADER, job_id="job", **PLACE))
    assert observe(client, keys, "job")[0].record is not None
    assert client.type("job:job") == "hash"


@pytest.mark.parametrize("kind", ["list", "set", "hash"])
def test_keys_of_another_type_read_as_absent_and_are_replaced(client: redis.Redis, keys: Keys, kind: str) -> None:
    for key in (*OF_A_JOB, "records:install", "fence:install", "workers", "epoch"):
        put_foreign(client, key, kind)
    assert observe(client, keys, "job") == (ObservedJob(),)
    calls.run(client, operator_calls.open_epoch(keys, **LEADER, run_id="run"))
    calls.run(client, operator_calls.put_record(keys, **LEADER, job_id="job", **PLACE))
    assert calls.run(client, worker_calls.claim(keys, **WORKER)).verdict is replies.ClaimVerdict.CLAIMED
    seen = observe(client, keys, "job")[0]
    assert (seen.record is not None, seen.claim is not None, seen.alive) == (True, True, True)
    assert "job" in calls.run(client, reads.list_records(keys, "install"))


def test_oversized_details_are_not_sent(client: redis.Redis, keys: Keys) -> None:
    details = '{"message":"' + "x" * fields.MAX_VALUE_BYTES + '"}'
    client.hset("end:job-1", mapping={"outcome": "Succeeded", "at": 1, "details": details})
    end = observe(client, keys, "job")[0].end
    assert end is not None
    assert (end.outcome, end.message) == (Outcome.SUCCEEDED, "")


def test_malformed_ids_in_the_index_are_left_out(client: redis.Redis, keys: Keys) -> None:
    client.sadd("records:install", "good-1", "../bad", "", "good-0")
    assert calls.run(client, reads.list_records(keys, "install")) == ("good-0", "good-1")


def test_every_key_has_the_prefix(client: redis.Redis) -> None:
    keys = Keys(prefix="team-a:")
    calls.run(client, operator_calls.open_epoch(keys, **LEADER, run_id="run"))
    calls.run(client, operator_calls.put_record(keys, **LEADER, job_id="job", **PLACE))
    calls.run(client, worker_calls.claim(keys, **WORKER))
    calls.run(client, worker_calls.register_worker(keys, node="w", queues=(), models=(), version="1", concurrency=1))
    assert [one.node for one in calls.run(client, reads.live_workers(keys))] == ["w"]
    assert [key for key in client.keys("*") if not key.startswith("team-a:")] == []
