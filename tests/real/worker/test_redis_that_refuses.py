"""Redis rejects all writes for a while, because it is full or has become a replica: no worker ends."""

from collections.abc import Callable

import pytest
import redis

from devcluster import wait_until
from devcluster.harness.workers import Farm
from devcluster.servers.processes import Process

pytestmark = pytest.mark.long

_JOBS = 12
_LATER = 6
_ENOUGH = 8  # rejected writes of any kind

Change = Callable[[redis.Redis], None]


def _rejections(worker: Process) -> int:
    log = worker.log.read_text()
    return log.count("used memory > 'maxmemory'") + log.count("read only replica")


def _full(client: redis.Redis) -> None:
    client.config_set("maxmemory", "1")


def _not_full(client: redis.Redis) -> None:
    client.config_set("maxmemory", "0")


def _replica(client: redis.Redis) -> None:
    client.replicaof("127.0.0.1", "1")


def _no_replica(client: redis.Redis) -> None:
    client.replicaof("NO", "ONE")


@pytest.mark.parametrize(
    ("pool", "begin", "end"),
    [
        pytest.param("prefork", _full, _not_full, id="prefork-full"),
        pytest.param("solo", _replica, _no_replica, id="solo-replica", marks=pytest.mark.release),
        # Each pool and each cause is in one of the two above.
        pytest.param("solo", _full, _not_full, id="solo-full", marks=pytest.mark.release),
        pytest.param("prefork", _replica, _no_replica, id="prefork-replica", marks=pytest.mark.release),
        pytest.param("threads", _full, _not_full, id="threads-full", marks=pytest.mark.release),
    ],
)
def test_a_worker_continues_after_redis_rejected_writes(pool: str, begin: Change, end: Change, own_farm: Farm) -> None:
    often = {"PLACEHOLDER_STEP_SECONDS": "0.1", "WORKER_TTL_SECONDS": "3"}  # each step and registration is a write
    worker = own_farm.start_worker(pool=pool, concurrency=3, **often)
    jobs = [own_farm.send(f"job-{number}", "placeholder") for number in range(_JOBS)]
    with redis.Redis.from_url(own_farm.server.url(0)) as client:
        own_farm.wait_state(jobs[0], "SUCCESS")
        begin(client)
        wait_until(
            lambda: _rejections(worker) > _ENOUGH, "writes to be rejected", timeout_seconds=60, seen=worker.log_end
        )
        end(client)

    # The end of a bare task may be lost, but every slot of the worker is free again.
    for result in [own_farm.send(f"later-{number}", "placeholder") for number in range(_LATER)]:
        own_farm.wait_state(result, "SUCCESS")
    assert worker.alive
    assert "Unrecoverable" not in worker.log.read_text()
