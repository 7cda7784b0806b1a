"""Two installations with different WATCH_NAMESPACES divide the jobs of a cluster by namespace."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import pytest
import redis

from devcluster import Redis
from devcluster.harness.jobs import Jobs, condition
from devcluster.harness.system import QUICK_SETTINGS, System
from tests.support.systems import QUICK

if TYPE_CHECKING:
    from devcluster import Cluster
    from tests.support.systems import SharedSystems


def _records(system: System) -> set[str]:
    with redis.Redis.from_url(system.redis.url(1), decode_responses=True) as client:
        return {key.removeprefix("job:") for key in client.scan_iter("job:*")}


@pytest.mark.release
def test_installations_with_namespaces_of_their_own_share_no_job(
    cluster: Cluster, start_system: SharedSystems, namespace: str
) -> None:
    other = f"maps-{secrets.token_hex(4)}"
    cluster.api.post("/api/v1/namespaces", {"metadata": {"name": other}})
    ours = start_system(QUICK, fresh=True, operator={"WATCH_NAMESPACES": namespace})
    with Redis() as server, System(cluster, server, settings=QUICK_SETTINGS) as theirs:
        theirs.start_operator(KUBECONFIG=str(cluster.kubeconfig), OPERATOR_NAMESPACE=other, WATCH_NAMESPACES=other)
        theirs.start_worker()
        sides = [Jobs(ours, namespace), Jobs(theirs, other)]
        names = [side.create() for side in sides]

        ended = [side.wait_finished(name) for side, name in zip(sides, names, strict=True)]

        assert [job["status"]["phase"] for job in ended] == ["Succeeded"] * 2
        assert [condition(job, "Contested") for job in ended] == [{}] * 2
        assert [_records(side.system) for side in sides] == [{job["metadata"]["uid"]} for job in ended]
    cluster.api.delete(f"/api/v1/namespaces/{other}")
