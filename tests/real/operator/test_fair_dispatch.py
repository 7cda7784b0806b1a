"""Dispatch shared by tenants: windows over all queues and for each namespace, pools of some namespaces, and a full
Redis.
"""

from collections.abc import Iterator

import pytest
import redis

from devcluster import Cluster, wait_until
from devcluster.harness.jobs import Jobs, condition, phase
from devcluster.harness.system import System
from tests.support.controller.dispatch import leave, serve
from tests.support.systems import SharedSystems, Worker

POOLS = ("line", "short", "other")
TOTAL = 9
FULL = "full"


@pytest.fixture
def system(start_system: SharedSystems) -> System:
    return start_system(
        Worker(concurrency=1),
        DISPATCH_WINDOW="8",
        DISPATCH_NAMESPACE_WINDOW="4",
        DISPATCH_TOTAL_WINDOW=str(TOTAL),
        POOL_NAMESPACES="private=another-team",
    )


@pytest.fixture
def broker(system: System) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(system.redis.url(0), decode_responses=True) as client:
        yield client
        client.config_set("maxmemory", 0)


@pytest.fixture
def neighbour(jobs: Jobs, cluster: Cluster) -> Iterator[Jobs]:
    """Jobs of another namespace."""
    name = f"{jobs.namespace}-b"
    cluster.api.post("/api/v1/namespaces", {"metadata": {"name": name}})
    yield Jobs(jobs.system, name)
    cluster.api.delete(f"/api/v1/namespaces/{name}")


def queued(jobs: Jobs, names: list[str]) -> int:
    return sum(phase(jobs.get(name)) == "Queued" for name in names)


def test_a_namespace_does_not_take_the_window_nor_all_queues_redis(
    jobs: Jobs, neighbour: Jobs, state: redis.Redis, broker: redis.Redis
) -> None:
    serve(state, *POOLS)
    first, *others = POOLS
    greedy = [jobs.create(queue=first) for _ in range(8)]
    wait_until(lambda: queued(jobs, greedy) == 4, "the first namespace's share to be sent")

    late = [neighbour.create(queue=first) for _ in range(2)]
    wait_until(lambda: queued(neighbour, late) == 2, "the other namespace's jobs to be sent")
    wait_until(lambda: broker.llen(first) == 6, "their messages, which follow the stored statuses")

    for pool in others:
        for _ in range(3):
            jobs.create(queue=pool)
    wait_until(lambda: sum(map(broker.llen, POOLS)) == TOTAL, "the window over all queues to be full")
    assert queued(jobs, greedy) == 4
    leave(state)  # orders to delete these jobs' files must not take the room of the other tests


def test_a_pool_of_another_namespace_is_rejected(jobs: Jobs) -> None:
    name = jobs.create(queue="private")

    job = jobs.wait_finished(name)

    assert job["status"]["failure"]["reason"] == "QUEUE_REFUSED"
    assert "may not use queue private" in job["status"]["failure"]["message"]
    assert condition(job, "Accepted")["status"] == "False"
    assert "attempt" not in job["status"] or job["status"]["attempt"] == 0


def test_a_full_redis_stops_dispatch_and_lets_jobs_end(jobs: Jobs, state: redis.Redis, broker: redis.Redis) -> None:
    serve(state, FULL)
    cancelled, suspended, deleted = (jobs.create_in("Queued", queue=FULL) for _ in range(3))
    uid = jobs.get(deleted)["metadata"]["uid"]

    broker.config_set("maxmemory", int(1.1 * broker.info("memory")["used_memory"]))  # 91 % are used
    wait_until(lambda: "nothing more is dispatched" in jobs.system.processes["operator"].log.read_text(), "a pause")
    waiting = jobs.create(queue=FULL)
    jobs.wait_phase(waiting, "Pending")

    broker.config_set("maxmemory", 1)  # now Redis rejects every command that needs memory
    jobs.cancel(cancelled)
    jobs.wait_phase(cancelled, "Cancelled")
    jobs.patch(suspended, suspend=True)
    jobs.wait_phase(suspended, "Suspended")
    jobs.delete(deleted)
    wait_until(lambda: state.hget(f"job:{uid}", "token") == "operator", "the deleted job's attempt to be ended")
    assert phase(jobs.get(waiting)) == "Pending"

    broker.config_set("maxmemory", 0)
    jobs.wait_phase(waiting, "Queued")
