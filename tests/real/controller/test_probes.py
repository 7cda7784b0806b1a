"""What /healthz and /readyz say while something is away."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis

from devcluster import Cluster, Redis, wait_until
from devcluster.harness.jobs import Jobs
from devcluster.harness.replicas import Lease, Replica
from devcluster.harness.system import System

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]


@pytest.fixture
def operator(system: System, lease: Lease) -> Replica:
    """One that is ready."""
    system.start_operator()
    replica = Replica(system)
    replica.wait_ready()
    lease.wait_held()
    return replica


def test_without_redis_it_is_alive_and_not_ready_and_says_why(operator: Replica, redis_server: Redis) -> None:
    redis_server.kill()

    assert operator.wait_problem("redis")
    assert operator.get("/healthz")[0] == 200
    assert operator.metric("reconstruction_redis_up") == 0
    redis_server.start()
    operator.wait_ready()


def test_without_the_api_server_it_is_alive_and_not_ready_and_says_why(operator: Replica, cluster: Cluster) -> None:
    cluster.kill_apiserver()

    assert "the API server has not answered for" in operator.wait_problem("api")
    assert operator.get("/healthz")[0] == 200
    cluster.start_apiserver()
    operator.wait_ready()


def test_a_backlog_is_no_illness(system: System, jobs: Jobs) -> None:
    for _ in range(60):
        jobs.create()
    system.start_operator(WRITES_PER_SECOND="2")  # half a minute for what would take a second
    operator = Replica(system)
    operator.wait_ready()

    wait_until(
        lambda: (operator.metric("reconstruction_pending_writes") or 0) > 10,
        "statuses to wait for their turn",
        seen=lambda: operator.metric("reconstruction_pending_writes"),
    )

    assert operator.get("/healthz")[0] == 200
    assert operator.get("/readyz")[0] == 200


def test_a_standby_is_well(operator: Replica, system: System) -> None:
    system.start_operator("standby")
    standby = Replica(system, "standby")
    standby.wait_ready()

    assert (operator.metric("reconstruction_leader"), standby.metric("reconstruction_leader")) == (1, 0)
    checks = {"tasks": "ok", "lag": "ok", "loop": "ok", "watch": "ok"}
    assert standby.get("/healthz") == (200, {"ok": True, "checks": checks})


@pytest.fixture
def evicting(redis_server: Redis, redis_url: str) -> Iterator[None]:
    """The Redis may evict for as long as the test runs."""
    with redis.Redis.from_url(redis_url) as client:
        client.config_set("maxmemory-policy", "allkeys-lru")
        yield
        client.config_set("maxmemory-policy", "noeviction")


def test_a_redis_that_may_evict_is_a_metric_and_a_log_line(evicting: None, operator: Replica, system: System) -> None:
    operator.wait_metric("reconstruction_redis_evicts", 1)

    assert "maxmemory-policy allkeys-lru" in system.processes["operator"].log.read_text()
