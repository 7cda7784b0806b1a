"""Prefetch: a worker takes no message that another one could run, whatever happened to its connection and its tasks
before.
"""

from __future__ import annotations

import pytest
import redis
from celery.result import AsyncResult
from reconstruction_operator.contract.envelope import Envelope

from devcluster import wait_until
from devcluster.harness.workers import Farm
from tests.support.refs import make_attempt

pytestmark = pytest.mark.long

_LOSSES = 50
_MESSAGES = 50  # without a record: each is retried four times
_RETRIES = 4 * _MESSAGES


def consuming(broker: redis.Redis) -> set[str]:
    """Return the ids of the connections that wait for a message of a queue."""
    return {client["id"] for client in broker.client_list() if client["cmd"] == "brpop" and client["db"] == "0"}


@pytest.mark.release  # 200 retries with countdowns
def test_a_worker_takes_no_more_messages_than_it_can_run_after_retries_and_lost_connections(
    own_farm: Farm, job_id: str
) -> None:
    worker = own_farm.start_worker("worker", concurrency=2, PLACEHOLDER_STEP_SECONDS="600")
    for number in range(_MESSAGES):
        retried = make_attempt(f"{job_id}-{number}")
        own_farm.send(retried.job_id, "placeholder", Envelope(retried).to_json(), task_id=retried.task_id)
    wait_until(
        lambda: worker.log.read_text().count("is dropped after") == _MESSAGES,
        "the last retries",
        timeout_seconds=240,
        seen=worker.log_end,
    )
    assert worker.log.read_text().count("its message is requeued with a delay") == _RETRIES

    def running(name: str) -> AsyncResult:
        result = own_farm.send(f"{job_id}-{name}", "placeholder")
        own_farm.wait_step(result, "Loading input files")
        return result

    running("first")  # the other slot waits for a message, so that the worker notices each loss
    with redis.Redis.from_url(own_farm.server.url(0)) as broker:
        known: set[str] = set()
        for number in range(1, _LOSSES + 1):
            connection = wait_until(
                lambda: next(iter(consuming(broker) - known), None),
                f"connection {number} of the worker",
                timeout_seconds=60,
                seen=worker.log_end,
            )
            known.add(connection)
            broker.client_kill_filter(_id=connection)
        running("second")
        waiting = own_farm.send(f"{job_id}-waiting", "placeholder")
        own_farm.start_worker("other", concurrency=1, PLACEHOLDER_STEP_SECONDS="0")

        own_farm.wait_state(waiting, "SUCCESS")

        assert broker.hlen("unacked") <= 2  # the message of the first was delivered again, and dropped as a duplicate
