"""Two installations that watch the same namespaces: one of them manages a job, and the other leaves it alone and reports it."""

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
# A job that is handed over still runs on this worker
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


def _holds(system: System, uid: str) -> bool:
    with redis.Redis.from_url(system.redis.url(1), decode_responses=True) as client:
        return bool(client.exists(f"job:{uid}"))


def _forgets(system: System, uid: str) -> bool:
    return not _holds(system, uid)


def _hand_over(cluster: Cluster, jobs: Jobs, old: str, new: str) -> None:
    """Run the documented commands for the jobs of one namespace."""
    script = block("hand-over").replace("-A", f"-n {jobs.namespace}")
    script = script.replace("old-namespace/reconstruction-operator", old)
    script = script.replace("new-namespace/reconstruction-operator", new)
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
    job = jobs.wait(name, "contested", lambda job: bool(condition(job, "Contested")))
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


def test_a_running_job_is_handed_over_with_its_finished_neighbour(
    system: System, other: System, jobs: Jobs, cluster: Cluster
) -> None:
    finished = _run_beside(other, jobs, "Succeeded", parameters={"stepSeconds": 0.1})
    name = _run_beside(other, jobs)
    uid = jobs.get(name)["metadata"]["uid"]

    _hand_over(cluster, jobs, LEASE, OTHER_LEASE)

    job = jobs.wait_finished(name)
    assert (job["status"]["phase"], job["status"]["attempt"]) == ("Succeeded", 2)
    assert {jobs.get(one)["status"]["installation"]["lease"] for one in (finished, name)} == {OTHER_LEASE}
    jobs.wait_event(name, "TakenOver")
    assert _holds(other, uid)
    wait_until(lambda: not _holds(system, uid), "the first installation to forget the job")


def test_jobs_of_an_operator_that_has_ended_wait_until_they_are_handed_over(
    system: System, other: System, jobs: Jobs, cluster: Cluster
) -> None:
    name = _run_beside(system, jobs, parameters=LONG)
    other.processes["operator"].kill()
    jobs.wait(name, "contested", lambda job: bool(condition(job, "Contested")))
    assert jobs.get(name)["status"]["installation"]["lease"] == OTHER_LEASE

    _hand_over(cluster, jobs, OTHER_LEASE, LEASE)

    status = jobs.wait_finished(name)["status"]

    assert (status["phase"], status["attempt"], status["installation"]["lease"]) == ("Succeeded", 2, LEASE)
