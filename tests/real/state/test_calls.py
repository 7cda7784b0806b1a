"""Batches of calls on a real Redis: their order and their errors. Single calls: tests/unit/state."""

from typing import Any

import pytest
import redis
import redis.asyncio
from reconstruction_operator.contract.keys import Keys
from reconstruction_operator.state import calls, operator_calls
from reconstruction_operator.state.calls import Call
from reconstruction_operator.state.errors import DeposedError

from tests.support.protocol.caller import LEADER, PLACE


def put(keys: Keys, job_id: str = "job", attempt: int = 1, *, fence: int = 5) -> Call[Any]:
    place = PLACE | {"job_id": job_id, "name": f"{job_id}-name", "attempt": attempt}
    return operator_calls.put_record(keys, fence=fence, install_id="install", **place)


async def test_a_batch_keeps_its_order_on_a_redis_that_knows_no_script(
    async_client: redis.asyncio.Redis, keys: Keys
) -> None:
    await async_client.script_flush()
    batch: list[Call[Any]] = [
        put(keys),
        operator_calls.mark_sent(keys, **LEADER, job_id="job", attempt=1),
        put(keys),
        put(keys, attempt=2),
        operator_calls.mark_sent(keys, **LEADER, job_id="job", attempt=1),
        put(keys, attempt=2),
    ]
    replies: list[Any] = await calls.arun_all(async_client, batch)
    assert [reply and (reply.attempt, reply.sent_at is not None) for reply in replies] == [
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
