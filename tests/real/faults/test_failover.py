"""A primary with a replica and three sentinels: jobs end well over a failover, and over the return
of the old primary.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest
import redis

from devcluster import Cluster, Redis, wait_until
from devcluster.harness.jobs import Jobs, Seen
from devcluster.harness.system import QUICK_SETTINGS, System
from tests.support.servers.sentinel import NAME, PASSWORD, Sentinel
from tests.support.systems import SharedSystems

pytestmark = [pytest.mark.release, pytest.mark.long, pytest.mark.timeout(300)]

_PASSWORD = "p4ss"
_DEADLINE_SECONDS = 90


@dataclass(frozen=True)
class Group:
    """A primary, its replica and their sentinels."""

    primary: Redis
    replica: Redis
    sentinels: tuple[Sentinel, ...]

    def url(self, db: int) -> str:
        return ";".join(f"sentinel://:{_PASSWORD}@127.0.0.1:{each.port}/{db}" for each in self.sentinels)

    def wait(self, what: str, holds: Callable[[], bool]) -> None:
        def logs() -> list[str]:
            return [each.log_ends() for each in self.sentinels]

        wait_until(holds, what, timeout_seconds=_DEADLINE_SECONDS, seen=logs)

    def is_in_step(self) -> bool:
        """Whether the sentinels know each other and the replica, which has the primary's data."""
        try:
            known = [each.ask("CKQUORUM", NAME) and each.ask("REPLICAS", NAME) for each in self.sentinels]
        except redis.ResponseError:
            return False
        return all(known) and _follows(self.replica)

    def has_failed_over(self) -> bool:
        return {each.primary_port() for each in self.sentinels} == {self.replica.port}


def _follows(server: Redis) -> bool:
    """Whether a server is in step with its primary; it closes its connections when a sentinel makes
    it follow another.
    """
    try:
        with redis.Redis.from_url(server.url()) as client:
            return client.info("replication").get("master_link_status") == "up"
    except redis.ConnectionError:
        return False


@pytest.fixture
def group() -> Iterator[Group]:
    with ExitStack() as stack:
        primary = stack.enter_context(Redis(password=_PASSWORD, configuration={"masterauth": _PASSWORD}))
        follow = {"replicaof": f"127.0.0.1 {primary.port}", "masterauth": _PASSWORD}
        replica = stack.enter_context(Redis(password=_PASSWORD, configuration=follow))
        sentinels = tuple(stack.enter_context(Sentinel(primary, quorum=2)) for _ in range(3))
        yield Group(primary, replica, sentinels)


@pytest.fixture
def system(start_system: SharedSystems, cluster: Cluster, group: Group) -> Iterator[System]:
    start_system.stop()  # its operator would compete for the Lease
    addresses = {
        "CELERY_BROKER_URL": group.url(0),
        "CELERY_RESULT_BACKEND": group.url(0),
        "REDIS_STATE_DB": group.url(1),
        "REDIS_SENTINEL_MASTER": NAME,
        "REDIS_SENTINEL_PASSWORD": PASSWORD,
        "PLACEHOLDER_STEP_SECONDS": "1",
    }
    with System(cluster, group.primary, settings=QUICK_SETTINGS | addresses) as system:
        system.install()
        system.start_operator()
        system.start_worker(concurrency=4)
        system.wait_registered()
        group.wait("the sentinels and the replica to follow the primary", group.is_in_step)
        yield system


@pytest.mark.parametrize("fault", ["kill", "pause"])
def test_jobs_end_well_over_a_failover(jobs: Jobs, seen: Seen, group: Group, fault: str) -> None:
    running = [jobs.create_in("Running") for _ in range(2)]
    cancelled = jobs.create_in("Running", parameters={"stepSeconds": 600})
    jobs.request_cancel(cancelled)

    getattr(group.primary, fault)()
    jobs.confirm_cancel(cancelled)
    waiting = jobs.create()
    group.wait("the sentinels to name the replica", group.has_failed_over)

    for name in (*running, waiting):
        assert jobs.wait_finished(name, timeout_seconds=120)["status"]["phase"] == "Succeeded"
        assert jobs.get(name)["status"].get("failures", 0) == 0
        seen.assert_never_backwards(name)
    assert jobs.wait_finished(cancelled)["status"]["phase"] == "Cancelled"

    group.primary.heal()  # the old primary returns with its old data, and becomes a replica
    group.wait("the old primary to follow", lambda: _follows(group.primary))
    assert jobs.wait_finished(jobs.create())["status"]["phase"] == "Succeeded"
