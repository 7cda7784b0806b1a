"""Lease: one of two replicas leads, and the other takes over."""

import time
from collections.abc import Callable

import pytest

from devcluster.harness.jobs import Jobs
from devcluster.harness.replicas import Lease, Replica
from devcluster.harness.system import System
from devcluster.servers.processes import Process

pytestmark = pytest.mark.timeout(300)


def _start_two(system: System, lease: Lease, **settings: str) -> str:
    """Start two replicas, of which `first` leads; return its identity."""
    system.start_operator("first", **settings)
    leader = lease.wait_held()
    system.start_operator("second", **settings)
    Replica(system, "second").wait_ready()
    assert lease.holder == leader
    return leader


@pytest.mark.parametrize(
    ("end", "lease_seconds", "limit_seconds"),
    [
        pytest.param(
            *(Process.kill, "10", 15.0),
            id="killed, with the default LEASE_SECONDS: as promised",
            marks=pytest.mark.release,
        ),
        pytest.param(Process.stop, "60", 10.0, id="stopped: without the release it would be 60 s"),
    ],
)
def test_a_standby_leads_soon_after_the_leader_has_ended(
    system: System,
    lease: Lease,
    jobs: Jobs,
    *,
    end: Callable[[Process], None],
    lease_seconds: str,
    limit_seconds: float,
) -> None:
    leader = _start_two(system, lease, LEASE_SECONDS=lease_seconds)
    transitions = lease.transitions

    started = time.monotonic()
    end(system.processes["first"])
    lease.wait_held(by_other_than=leader)
    took_seconds = time.monotonic() - started

    assert took_seconds <= limit_seconds
    assert lease.transitions > transitions
    jobs.wait_phase(jobs.create(), "Pending")


def test_after_a_deletion_of_the_lease_redis_accepts_the_new_holder(system: System, lease: Lease, jobs: Jobs) -> None:
    system.start_operator()
    leader = lease.wait_held()
    jobs.wait_phase(jobs.create(), "Pending")
    transitions = lease.transitions

    lease.delete()

    assert lease.wait_held() == leader
    assert lease.transitions > transitions
    jobs.wait_phase(jobs.create(), "Pending")
