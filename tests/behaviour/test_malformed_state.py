"""Malformed values in the job state: read as absent, replaced, and harmless for other jobs."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import fakeredis
import pytest
import redis
import redis.asyncio
from reconstruction_operator.api.identity import TaskId
from reconstruction_operator.contract.keys import Keys
from reconstruction_operator.contract.records import Record
from reconstruction_operator.state import calls, errors, fields, operator_calls, reads, replies, results, worker_calls

LEADER: dict[str, Any] = {"fence": 5, "install_id": "install"}
PLACE: dict[str, Any] = {"namespace": "ns", "name": "n", "queue": "celery"}
RECORD: dict[str, Any] = {"install_id": "install", **PLACE, "attempt": "1"}
RUN: dict[str, Any] = {"task_id": "job-1", "job_id": "job", "attempt": 1, "token": "t", "worker": "w"}
SERVER = fakeredis.FakeServer()
KEYS = Keys(prefix="")

Do = Callable[..., Any]


@pytest.fixture
def client() -> Iterator[redis.Redis]:
    with fakeredis.FakeRedis(server=SERVER, decode_responses=True, encoding_errors="replace") as opened:
        opened.flushall()
        yield opened


@pytest.fixture
async def async_client(client: redis.Redis) -> AsyncIterator[redis.asyncio.Redis]:
    async with fakeredis.FakeAsyncRedis(server=SERVER, decode_responses=True) as opened:
        yield opened


@pytest.fixture
def do(client: redis.Redis) -> Do:
    def carry_out(make: Callable[..., calls.Call[Any]], *args: Any, **kwargs: Any) -> Any:
        return calls.run(client, make(KEYS, *args, **kwargs))

    return carry_out


def observe(do: Do) -> Any:
    (job,) = do(reads.observe, [("job", TaskId("job", 1))]).jobs
    return job


def now_ms(client: redis.Redis, *, days: int = 0) -> int:
    seconds, micros = client.time()
    return seconds * 1000 + micros // 1000 + days * 86_400_000


@pytest.mark.parametrize(
    "change",
    [
        {"queue": "Not A Queue"},
        {"queue": "q" * 51},
        {"queue": ""},
        {"attempt": "1.5"},
        {"attempt": "1000000000"},
        {"attempt": "999999999"},
        {"attempt": "True"},
        {"attempt": "1", "queue": b"\xff"},
    ],
    ids=str,
)
def test_a_record_that_breaks_a_rule_is_replaced_and_the_job_continues(
    do: Do, client: redis.Redis, change: dict[str, Any]
) -> None:
    client.hset("job:job", mapping=RECORD | change)
    assert observe(do).record is None

    assert do(operator_calls.put_record, **LEADER, job_id="job", **PLACE, attempt=1).attempt == 1
    do(operator_calls.mark_sent, **LEADER, job_id="job", attempt=1)
    assert observe(do).record.sent_at is not None
    assert do(worker_calls.claim, **RUN).verdict is replies.ClaimVerdict.CLAIMED


def test_the_highest_attempt_that_is_adopted_can_be_followed_by_another(do: Do, client: redis.Redis) -> None:
    highest = 1 + fields.MAX_AHEAD
    client.hset("job:job", mapping=RECORD | {"attempt": highest})
    assert observe(do).record.attempt == highest
    assert do(operator_calls.put_record, **LEADER, job_id="job", **PLACE, attempt=1).attempt == highest
    assert do(operator_calls.put_record, **LEADER, job_id="job", **PLACE, attempt=highest + 1).attempt == highest + 1


@pytest.mark.parametrize("far", [True, False])
def test_a_sending_time_in_the_future_or_malformed_is_dropped(do: Do, client: redis.Redis, *, far: bool) -> None:
    client.hset("job:job", mapping=RECORD | {"sent_at": now_ms(client, days=2) if far else "x"})
    assert observe(do).record.sent_at is None

    assert do(operator_calls.put_record, **LEADER, job_id="job", **PLACE, attempt=1).sent_at is None
    do(operator_calls.mark_sent, **LEADER, job_id="job", attempt=1)
    assert observe(do).record.sent_at < datetime.now(UTC) + timedelta(hours=1)


def test_no_claim_or_end_lies_in_the_future(do: Do, client: redis.Redis) -> None:
    at = now_ms(client, days=9)
    client.hset("claim:job-1", mapping={"token": "t", "at": at})
    client.hset("end:job-1", mapping={"outcome": "Failed", "at": at})
    seen = do(reads.observe, [("job", TaskId("job", 1))])
    (job,) = seen.jobs
    assert (job.claim.at, job.end.at) == (seen.now, seen.now)


@pytest.mark.parametrize("fence", ["2000000001", "3000000000", "999999999999999"])
def test_a_fence_that_no_lease_can_reach_deposes_no_operator(do: Do, client: redis.Redis, fence: str) -> None:
    client.set("fence:install", fence)
    do(operator_calls.put_record, **LEADER, job_id="job", **PLACE, attempt=1)
    assert client.get("fence:install") == "5"


@pytest.mark.parametrize("change", [{"id": "x" * 65}, {"started_at": "x"}, {"started_at": 7_000_000_000_000}], ids=str)
def test_a_malformed_sentinel_is_renewed(do: Do, client: redis.Redis, change: dict[str, Any]) -> None:
    client.hset("epoch", mapping={"id": "one", "run_id": "run", "started_at": 1} | change)
    opened = do(operator_calls.open_epoch, **LEADER, run_id="run")
    assert "-run-" in opened.id
    assert opened.started_at <= opened.now
    assert do(operator_calls.open_epoch, **LEADER, run_id="run").id == opened.id


def test_reports_under_a_malformed_job_id_are_deleted_at_once(do: Do, client: redis.Redis) -> None:
    report = json.dumps(RECORD | {"attempt": 1})
    bad: list[bytes | str] = [b"\xff\xfe", "", "../x", "a..b", "-a", "a-", "x" * 129, "a b"]
    client.hset("folders:install", mapping=dict.fromkeys(bad, report))  # type: ignore[arg-type]
    client.hset("folders:install", mapping={"job": report, "big": "x" * 70_000})

    listed = do(reads.list_folders, "install")

    assert len(listed) == len(bad) + 2
    assert {job_id for job_id, record in listed.items() if record.install_id} == {"job"}
    assert set(client.hkeys("folders:install")) == {"job", "big"}


async def test_a_malformed_reply_does_not_stop_the_other_calls(async_client: redis.asyncio.Redis) -> None:
    def refuse(reply: Any) -> None:
        raise errors.UnexpectedReplyError("put_record", reply)

    put = operator_calls.put_record(KEYS, **LEADER, job_id="job", **PLACE, attempt=1)
    bad = calls.Call(put.script, put.keys, put.args, refuse)

    first, second, third = await calls.arun_all(async_client, [put, bad, put])

    assert isinstance(second, errors.UnexpectedReplyError)
    assert first == third == Record("install", "ns", "n", 1, "celery")


@pytest.mark.parametrize(
    ("meta", "percent", "fraction"),
    [
        pytest.param('"progress": 1' + "0" * 400 + ', "fraction": 1' + "0" * 400, 100, 1.0, id="more than any float"),
        pytest.param('"progress": Infinity, "fraction": 1e999', 100, 1.0, id="infinite"),
        pytest.param('"progress": NaN, "fraction": -1', 0, 0.0, id="not a number"),
        pytest.param(
            '"progress": 41.5, "fraction": 0.5, "startedAt": 1' + "0" * 400, 41.5, 0.5, id="a time without end"
        ),
    ],
)
async def test_numbers_of_any_size_are_cut(
    async_client: redis.asyncio.Redis, meta: str, percent: float, fraction: float
) -> None:
    await async_client.set(results.result_key("job-1"), f'{{"status": "PROGRESS", "result": {{{meta}}}}}')
    report = (await results.read(async_client, ["job-1"]))["job-1"]
    assert (report.percent, report.fraction, report.started_at) == (percent, fraction, None)
