"""Batches of calls on a real Redis: their order and their errors. Single calls: tests/unit/state."""

from dataclasses import replace
from typing import Any

import pytest
import redis
import redis.asyncio
from reconstruction_operator.contract.keys import Keys
from reconstruction_operator.state import calls, operator_calls
from reconstruction_operator.state.calls import Call, DeposedError

from tests.support.protocol.caller import LEADER, TASK, attempt_of


def put(keys: Keys, job_id: str = "job", attempt: int = 1, *, fence: int = 5) -> Call[Any]:
    put = attempt_of(job_id, attempt, name=f"{job_id}-name")
    return operator_calls.put_record(keys, put, fence=fence, install_id="install")


async def test_a_batch_keeps_its_order_on_a_redis_that_knows_no_script(
    async_client: redis.asyncio.Redis, keys: Keys
) -> None:
    await async_client.script_flush()
    batch: list[Call[Any]] = [
        put(keys),
        operator_calls.mark_sent(keys, TASK, **LEADER),
        put(keys),
        put(keys, attempt=2),
        operator_calls.mark_sent(keys, TASK, **LEADER),
        put(keys, attempt=2),
    ]
    replies: list[Any] = await calls.arun_all(async_client, batch)
    assert [reply and (reply.attempt.number, reply.sent_at is not None) for reply in replies] == [
        (1, False),
        None,
        (1, True),
        (2, False),
        None,
        (2, False),
    ]


async def test_a_call_of_another_leader_in_a_batch_is_refused_alone(
    async_client: redis.asyncio.Redis, keys: Keys
) -> None:
    with pytest.raises(DeposedError):
        await calls.arun_all(async_client, [put(keys, "a"), put(keys, "b", fence=1)])
    assert sorted(await async_client.keys("job:*")) == ["job:a"]


async def test_an_error_of_one_joined_call_stops_no_other(async_client: redis.asyncio.Redis, keys: Keys) -> None:
    first, refused, last = (
        operator_calls.change_flags(keys, **LEADER, job_id=job_id, change="confirm") for job_id in "abc"
    )
    refused = replace(refused, args=(*refused.args[:2], "no number"))
    replies: list[Any] = await calls.arun_all(async_client, [first, refused, last])
    assert ["not an integer" in str(reply) for reply in replies] == [False, True, False]
    assert sorted(await async_client.keys("cancel:*")) == ["cancel:a", "cancel:c"]
    with pytest.raises(redis.ResponseError, match="not an integer"):
        await calls.arun(async_client, refused)


async def test_a_long_batch_is_made_as_several_calls(async_client: redis.asyncio.Redis, keys: Keys) -> None:
    replies: list[Any] = await calls.arun_all(async_client, [put(keys, f"job-{number}") for number in range(501)])
    assert [replies[0].attempt.job.name, replies[-1].attempt.job.name] == ["job-0-name", "job-500-name"]
    assert await async_client.scard("records:install") == 501


async def test_a_joined_call_sees_what_an_earlier_one_changed(async_client: redis.asyncio.Redis, keys: Keys) -> None:
    order = operator_calls.mark_sent(keys, TASK, **LEADER, is_order=True)
    await calls.arun_all(async_client, [put(keys), order, order])
    assert (await calls.arun(async_client, put(keys))).orders == 2
