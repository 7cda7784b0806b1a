"""Probes: /healthz and /readyz without Redis, without the API server, and on a standby."""

import contextlib
import socket
import time

import pytest
import redis

from devcluster import Cluster, wait_until
from devcluster.harness.jobs import Jobs
from devcluster.harness.replicas import Lease, Replica
from devcluster.harness.system import QUICK_SETTINGS, System
from devcluster.servers.server import LOOPBACK
from tests.support.controller.throttling import STATUS_WRITES, throttled

pytestmark = pytest.mark.timeout(300)

_SCRAPES = 800
LEASE_SECONDS = float(QUICK_SETTINGS["LEASE_SECONDS"])


@pytest.fixture
def operator(system: System, lease: Lease) -> Replica:
    """An operator that is ready, and leads."""
    system.start_operator()
    replica = Replica(system)
    replica.wait_ready()
    lease.wait_held()
    return replica


def test_without_redis_the_operator_is_alive_and_not_ready(operator: Replica, system: System) -> None:
    system.redis.kill()

    assert operator.wait_problem("redis")
    assert operator.get("/healthz")[0] == 200
    assert operator.metric("reconstruction_redis_up") == 0
    system.redis.start()
    operator.wait_ready()


def test_without_the_api_server_the_operator_is_alive_and_not_ready(operator: Replica, cluster: Cluster) -> None:
    cluster.kill_apiserver()

    assert "no response from the API server for" in operator.wait_problem("api")
    assert operator.get("/healthz")[0] == 200
    cluster.start_apiserver()
    operator.wait_ready()


def test_a_backlog_of_writes_fails_no_probe(operator: Replica, cluster: Cluster, jobs: Jobs) -> None:
    with throttled(cluster, STATUS_WRITES, shares=0):
        for _ in range(60):
            jobs.create()
        wait_until(
            lambda: (operator.metric("reconstruction_pending_writes") or 0) > 10,
            "status writes to wait",
            seen=lambda: operator.metric("reconstruction_pending_writes"),
        )

        assert operator.get("/healthz")[0] == 200
        assert operator.get("/readyz")[0] == 200


def test_a_flood_of_scrapes_costs_the_operator_neither_its_probes_nor_its_lease(
    operator: Replica, system: System, lease: Lease
) -> None:
    request = b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n"
    port, before = system.metrics_ports["operator"], lease.transitions
    begun = time.monotonic()
    with contextlib.ExitStack() as stack:
        for number in range(_SCRAPES):
            connection = stack.enter_context(socket.create_connection((LOOPBACK, port), timeout=30))
            connection.sendall(request * 8)
            if not number % 100:
                assert operator.get("/healthz")[0] == 200
        wait_until(lambda: time.monotonic() > begun + LEASE_SECONDS + 1, "a Lease that was not renewed to expire")
        assert operator.get("/healthz")[0] == 200

    assert operator.metric("reconstruction_leader") == 1
    assert lease.transitions == before


def test_the_probes_of_a_standby_succeed(operator: Replica, system: System) -> None:
    system.start_operator("standby")
    standby = Replica(system, "standby")
    standby.wait_ready()

    operator.wait_metric("reconstruction_leader", 1)
    assert standby.metric("reconstruction_leader") == 0
    checks = {"tasks": "ok", "lag": "ok", "loop": "ok", "watch": "ok"}
    assert standby.get("/healthz") == (200, {"ok": True, "checks": checks})


@pytest.fixture
def evicting(system: System) -> None:
    """Redis may evict keys."""
    with redis.Redis.from_url(system.redis.url(0)) as client:
        client.config_set("maxmemory-policy", "allkeys-lru")


def test_a_redis_that_may_evict_is_reported_in_metric_and_log(
    evicting: None, operator: Replica, system: System
) -> None:
    operator.wait_metric("reconstruction_redis_evicts", 1)

    assert "maxmemory-policy allkeys-lru" in system.processes["operator"].log.read_text()
