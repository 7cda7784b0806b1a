"""Commands of Redis that the scripts cost, inner ones included: counts that no other test checks."""

from typing import Any

import pytest
import redis
import redis.asyncio
from reconstruction_operator.contract.keys import Keys
from reconstruction_operator.state import calls, operator_calls, reads, worker_calls
from reconstruction_operator.state.calls import Call

from tests.support.protocol.caller import LEADER, RUN, SUCCESS, TASK, attempt_of

KEYS = Keys(prefix="")
LIFE: tuple[tuple[str, Call[Any]], ...] = (
    ("put_record", operator_calls.put_record(KEYS, TASK, **LEADER)),
    ("mark_sent", operator_calls.mark_sent(KEYS, TASK, **LEADER)),
    ("observe, queued", reads.observe(KEYS, [("job", 1)])),
    ("claim", worker_calls.claim(KEYS, **RUN, worker="w")),
    ("beat", worker_calls.beat(KEYS, **RUN, worker="w", life="life")),
    ("observe, running", reads.observe(KEYS, [("job", 1)])),
    ("finish", worker_calls.finish(KEYS, **RUN, end=SUCCESS)),
    ("observe, ended", reads.observe(KEYS, [("job", 1)])),
)
"""The calls of a job's life, in their order."""


def commands(client: redis.Redis) -> int:
    return sum(counted["calls"] for name, counted in client.info("commandstats").items() if name != "cmdstat_info")


@pytest.fixture
def costs(client: redis.Redis) -> dict[str, int]:
    """By call, when Redis knows all scripts."""
    calls.run(client, operator_calls.open_epoch(KEYS, **LEADER, run_id="run"))
    for _, call in LIFE:
        calls.run(client, call)
    client.delete("job:job")
    counts = {}
    for name, call in LIFE:
        before = commands(client)
        calls.run(client, call)
        counts[name] = commands(client) - before
    return counts


def test_each_call_of_a_job_costs_few_commands(costs: dict[str, int]) -> None:
    assert costs == {
        "put_record": 6,
        "mark_sent": 5,
        "observe, queued": 6,
        "claim": 8,
        "beat": 6,
        "observe, running": 7,
        "finish": 6,
        "observe, ended": 6,
    }


async def test_jobs_that_are_sent_and_observed_together_share_commands(
    client: redis.Redis, async_client: redis.asyncio.Redis
) -> None:
    jobs = [f"job-{number}" for number in range(100)]
    before = commands(client)
    await calls.arun_all(
        async_client,
        [operator_calls.put_record(KEYS, attempt_of(job_id), **LEADER) for job_id in jobs],
    )
    await calls.arun_all(
        async_client, [operator_calls.mark_sent(KEYS, attempt_of(job_id), **LEADER) for job_id in jobs]
    )
    calls.run(client, reads.observe(KEYS, [(job_id, 1) for job_id in jobs]))
    assert (commands(client) - before) / len(jobs) < 4 + 2 + 2 + 0.5
