"""Two installations that watch the same namespaces: one of them manages a job, and the other leaves it alone and
reports it.
"""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import redis

from devcluster import Redis, commands, wait_until
from devcluster.harness.jobs import condition
from devcluster.harness.replicas import Replica
from devcluster.harness.system import QUICK_SETTINGS, System
from tests.support.pages import block
from tests.support.systems import Worker

if TYPE_CHECKING:
    from collections.abc import Iterator

    from devcluster import Cluster
    from devcluster.harness.jobs import Jobs
    from tests.support.systems import SharedSystems

LEASE = "reconstruction-system/reconstruction-operator"
OTHER_NAMESPACE = "other-installation"
OTHER_LEASE = f"{OTHER_NAMESPACE}/reconstruction-operator"
LONG = {"stepSeconds": 1}
# A job of an installation that ends still runs on this worker
SLOW = Worker(settings={"PLACEHOLDER_STEP_SECONDS": "5"})


@pytest.fixture
def system(start_system: SharedSystems) -> System:
    return start_system(SLOW)


@pytest.fixture(scope="module")
def other(cluster: Cluster, start_system: SharedSystems) -> Iterator[System]:
    """Another installation on the same API server, with its own Lease, Redis and worker."""
    cluster.api.post("/api/v1/namespaces", {"metadata": {"name": OTHER_NAMESPACE}})
    with Redis() as server, System(cluster, server, settings=QUICK_SETTINGS) as running:
        start_system(SLOW)
        running.start_worker()
        running.start_operator(KUBECONFIG=str(cluster.kubeconfig), OPERATOR_NAMESPACE=OTHER_NAMESPACE)
        running.wait_registered()
        Replica(running).wait_ready()
        yield running
    cluster.api.delete(f"/api/v1/namespaces/{OTHER_NAMESPACE}")


def _forgets(system: System, uid: str) -> bool:
    with redis.Redis.from_url(system.redis.url(1), decode_responses=True) as client:
        return not client.exists(f"job:{uid}")


def _is_contested(job: dict[str, Any]) -> bool:
    return bool(condition(job, "Contested"))


def _remove_marks(cluster: Cluster, jobs: Jobs, install_id: str) -> None:
    """Run the documented commands for the jobs of one namespace."""
    script = (
        block("remove-marks").replace("-A", f"-n {jobs.namespace}").replace("GONE=install-id", f"GONE={install_id}")
    )
    path = f"{cluster.kubectl_program.parent}:{os.environ['PATH']}"
    commands.run(
        ["bash", "-euo", "pipefail", "-c", script], environment={"PATH": path, "KUBECONFIG": str(cluster.kubeconfig)}
    )


def test_each_job_succeeds_in_one_of_two_installations(system: System, other: System, jobs: Jobs) -> None:
    names = [jobs.create(parameters=LONG) for _ in range(4)]

    ended = [jobs.wait_finished(name) for name in names]

    assert [(job["status"]["phase"], job["status"]["attempt"]) for job in ended] == [("Succeeded", 1)] * len(names)
    by_lease = {LEASE: (system, other), OTHER_LEASE: (other, system)}
    for job in ended:
        uid = job["metadata"]["uid"]
        manager, stranger = by_lease[job["status"]["installation"]["lease"]]
        assert (manager.jobs_dir / uid / "output").is_dir()
        wait_until(partial(_forgets, stranger, uid), "the other installation to forget the job")
        assert not (stranger.jobs_dir / uid / "output").exists()


def test_the_operator_that_ignores_a_job_reports_it(system: System, other: System, jobs: Jobs) -> None:
    name = jobs.create(queue="unserved")
    job = jobs.wait(name, "contested", _is_contested)
    by_lease = {LEASE: other, OTHER_LEASE: system}
    stranger = by_lease[job["status"]["installation"]["lease"]]

    kind, _, note = jobs.wait_event(name, "ManagedElsewhere")

    assert (kind, condition(job, "Contested")["reason"]) == ("Warning", "ManagedElsewhere")
    assert note == condition(job, "Contested")["message"]
    Replica(stranger).wait_metric("reconstruction_contested_jobs", 1)
    assert f"{jobs.namespace}/{name}: {note}" in stranger.processes["operator"].log.read_text()
    jobs.delete(name)


def _run_beside(bystander: System, jobs: Jobs, phase: str = "Running", **spec: Any) -> str:
    """Create a job in that phase that the other installation manages, not `bystander`'s."""
    bystander.processes["operator"].pause()
    name = jobs.create_in(phase, **spec)
    bystander.processes["operator"].resume()
    return name


def test_a_job_continues_when_its_installation_moves_with_its_install_id(
    system: System, other: System, jobs: Jobs, cluster: Cluster
) -> None:
    name = _run_beside(system, jobs)
    mark = jobs.get(name)["status"]["installation"]
    assert mark["lease"] == OTHER_LEASE
    other.processes["operator"].kill()

    moved = {"OPERATOR_NAMESPACE": OTHER_NAMESPACE, "LEASE_NAME": "moved", "INSTALL_ID": mark["id"]}
    other.start_operator(KUBECONFIG=str(cluster.kubeconfig), **moved)

    status = jobs.wait_finished(name)["status"]
    assert (status["phase"], status["attempt"]) == ("Succeeded", 1)
    assert status["installation"] == {"id": mark["id"], "lease": f"{OTHER_NAMESPACE}/moved"}


def test_a_job_of_an_installation_that_is_gone_waits_until_its_mark_is_removed(
    system: System, other: System, jobs: Jobs, cluster: Cluster
) -> None:
    name = _run_beside(system, jobs, parameters=LONG)
    mark = jobs.get(name)["status"]["installation"]
    other.processes["operator"].kill()
    jobs.wait(name, "contested", _is_contested)
    assert jobs.get(name)["status"]["installation"] == mark

    _remove_marks(cluster, jobs, mark["id"])

    job = jobs.wait_finished(name)
    status = job["status"]
    assert (status["phase"], status["attempt"], status["installation"]["lease"]) == ("Succeeded", 2, LEASE)
    assert not _is_contested(job)
