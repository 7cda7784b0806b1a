"""Operator and worker of different versions, and the upgrade of either while jobs run: what docs/upgrading.md promises."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import redis

from devcluster import wait_until
from devcluster.harness.jobs import Jobs, phase
from devcluster.harness.system import REPOSITORY, System
from devcluster.servers.processes import Process
from tests.support.systems import SharedSystems

OLD = str(REPOSITORY / "tests" / "data" / "versions" / "reconstruction_operator-8f86b5e.zip")
NEW = str(REPOSITORY / "operator")
pytestmark = pytest.mark.long

SLOW = {"stepSeconds": 3}


@pytest.fixture
def system(start_system: SharedSystems) -> System:
    """A system without processes: each test starts those of the versions that it is about."""
    return start_system(operator=False, fresh=True)


def worker_of(system: System, version: str, name: str = "worker") -> Process:
    return system.start_worker(name, concurrency=2, PYTHONPATH=version, DRAIN_SECONDS="1")


def operator_of(system: System, version: str, name: str = "operator") -> Process:
    return system.start_operator(name, PYTHONPATH=version)


def is_gone(jobs: Jobs, state: redis.Redis, uid: str, folder: Path) -> bool:
    return not folder.exists() and not state.exists(f"job:{uid}") and not list(state.scan_iter(f"*:{uid}*"))


@pytest.mark.parametrize("version", [OLD, NEW])
def test_a_process_runs_the_version_that_it_is_told_to(system: System, version: str) -> None:
    program = "import reconstruction_operator as one; print(one.__file__)"

    said = subprocess.run(
        [sys.executable, "-c", program],
        env=system.environment(PYTHONPATH=version),
        capture_output=True,
        text=True,
        check=True,
    )

    assert said.stdout.startswith(f"{version}/")


@pytest.mark.parametrize(
    ("operator", "worker"), [pytest.param(NEW, OLD, id="old-worker"), pytest.param(OLD, NEW, id="old-operator")]
)
def test_jobs_run_and_are_cancelled_suspended_and_deleted(
    system: System, jobs: Jobs, state: redis.Redis, operator: str, worker: str
) -> None:
    operator_of(system, operator)
    worker_of(system, worker)

    done = jobs.create()
    job = jobs.wait_finished(done)
    assert phase(job) == "Succeeded"
    assert (jobs.folder(done) / "output" / "manifest.json").exists()

    cancelled = jobs.create(parameters=SLOW)
    jobs.wait_phase(cancelled, "Running")
    jobs.request_cancel(cancelled)
    jobs.confirm_cancel(cancelled)
    assert phase(jobs.wait_finished(cancelled)) == "Cancelled"
    assert not jobs.folder(cancelled).exists()

    suspended = jobs.create(parameters={"stepSeconds": 1})
    jobs.wait_phase(suspended, "Running")
    jobs.patch(suspended, suspend=True)
    jobs.wait_phase(suspended, "Suspended")
    jobs.patch(suspended, suspend=False)
    again = jobs.wait_finished(suspended)
    assert (phase(again), again["status"]["attempt"]) == ("Succeeded", 2)

    uid, folder = str(jobs.get(done)["metadata"]["uid"]), jobs.folder(done)
    jobs.delete(done)
    wait_until(lambda: is_gone(jobs, state, uid, folder), "the deleted job to leave nothing", timeout_seconds=90)


@pytest.mark.parametrize(
    ("before", "after"), [pytest.param(OLD, NEW, id="upgrade"), pytest.param(NEW, OLD, id="rollback")]
)
def test_the_operator_is_exchanged_while_a_job_runs(system: System, jobs: Jobs, before: str, after: str) -> None:
    first = operator_of(system, before, "before")
    worker_of(system, OLD)
    name = jobs.create(parameters=SLOW)
    jobs.wait_phase(name, "Running")

    first.stop()
    operator_of(system, after, "after")

    job = jobs.wait_finished(name)
    assert (phase(job), job["status"]["attempt"], job["status"].get("failures", 0)) == ("Succeeded", 1, 0)


@pytest.mark.parametrize(
    ("before", "after"), [pytest.param(OLD, NEW, id="upgrade"), pytest.param(NEW, OLD, id="rollback")]
)
def test_the_worker_is_exchanged_while_a_job_runs(system: System, jobs: Jobs, before: str, after: str) -> None:
    operator_of(system, NEW)
    first = worker_of(system, before)
    name = jobs.create(parameters=SLOW)
    jobs.wait_phase(name, "Running")

    first.stop()
    worker_of(system, after)  # of the same node name, as a pod of a StatefulSet

    job = jobs.wait_finished(name)
    assert (phase(job), job["status"]["attempt"], job["status"].get("failures", 0)) == ("Succeeded", 2, 0)
