"""Cost of a job in Redis: the number of commands, which no other test limits."""

import uuid
from collections.abc import Iterator

import pytest
from reconstruction_operator.contract.envelope import Envelope

from devcluster import Redis, wait_until
from devcluster.harness.workers import Farm
from tests.support.refs import make_attempt

_JOBS = 30
_MOST_COMMANDS = 55
"""28 by the worker on an idle machine, and 7 for record and message. On a busy machine an attempt takes longer, so it
sends progress (4 commands each time) and checks for a cancel in between, and this test checks for the ends more
often."""


@pytest.fixture
def farm(server: Redis) -> Iterator[Farm]:
    with Farm(server, PLACEHOLDER_STEP_SECONDS="0") as running:
        running.start_worker(concurrency=1)
        yield running


def run(farm: Farm, count: int) -> None:
    """Send that many jobs as the operator does; return when all have ended."""
    job_ids = [str(uuid.uuid4()) for _ in range(count)]
    for job_id in job_ids:
        farm.put_record(job_id, 1)
        farm.send(job_id, "placeholder", Envelope(make_attempt(job_id)).to_json(), task_id=f"{job_id}-1")
    last = f"job:{job_ids[-1]}"  # the worker runs one at a time, in order
    wait_until(lambda: farm.state.hexists(last, "outcome"), f"{count} jobs to end", seen=farm.log_ends)


def test_a_job_takes_few_commands_of_redis(farm: Farm, server: Redis) -> None:
    run(farm, 5)  # scripts are loaded, and connections opened
    before = server.commands()
    run(farm, _JOBS)
    assert (server.commands() - before) / _JOBS <= _MOST_COMMANDS
