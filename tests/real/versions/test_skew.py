"""Operator and worker of different versions, and the upgrade of either while jobs run: what docs/upgrading.md promises."""

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

OLD = str(REPOSITORY / "tests" / "data" / "versions" / "reconstruction_operator-8c59bce.zip")
NEW = str(REPOSITORY / "operator")
pytestmark = pytest.mark.long

SLOW = {"stepSeconds": 3}


@pytest.fixture
def system(start_system: SharedSystems) -> System:
    """A system without processes: each test starts those of its versions."""
    return start_system(operator=False, fresh=True)


def worker_of(system: System, version: str, name: str = "worker") -> Process:
    return system.start_worker(name, concurrency=4, PYTHONPATH=version, DRAIN_SECONDS="1")


def operator_of(system: System, version: str, name: str = "operator") -> Process:
    return system.start_operator(name, PYTHONPATH=version)


def running(jobs: Jobs, **parameters: float) -> str:
    """A job that a worker runs."""
    return jobs.create_in("Running", parameters=parameters)


def is_gone(jobs: Jobs, state: redis.Redis, uid: str, folder: Path) -> bool:
    return not folder.exists() and not state.exists(f"job:{uid}") and not list(state.scan_iter(f"*:{uid}*"))


def delete(jobs: Jobs, state: redis.Redis, name: str) -> None:
    """Delete a job, and wait until nothing is left of it."""
    uid, folder = str(jobs.get(name)["metadata"]["uid"]), jobs.folder(name)
    jobs.delete(name)
    wait_until(lambda: is_gone(jobs, state, uid, folder), "the deleted job to leave nothing", timeout_seconds=90)


def cancel(jobs: Jobs, name: str) -> None:
    jobs.cancel(name)
    assert phase(jobs.wait_finished(name)) == "Cancelled"
    assert not jobs.folder(name).exists()


def suspend_and_resume(jobs: Jobs, name: str) -> None:
    jobs.patch(name, suspend=True)
    jobs.wait_phase(name, "Suspended")
    jobs.patch(name, suspend=False)
    assert result(jobs, name) == ("Succeeded", 2, 0)


def result(jobs: Jobs, name: str) -> tuple[str | None, int, int]:
    """Phase, attempts and failures of a job that has finished."""
    job = jobs.wait_finished(name)
    return phase(job), job["status"]["attempt"], job["status"].get("failures", 0)


def test_an_old_process_runs_the_old_version(system: System) -> None:
    program = "import reconstruction_operator.config as module; print(module.__file__)"
    command = [sys.executable, "-c", program]
    environment = system.environment(PYTHONPATH=OLD)
    output = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout

    assert output.startswith(f"{OLD}/")


@pytest.mark.release
def test_new_workers_work_with_an_old_operator(system: System, jobs: Jobs, state: redis.Redis) -> None:
    operator_of(system, OLD)
    worker_of(system, NEW)

    done = jobs.create()
    assert result(jobs, done) == ("Succeeded", 1, 0)
    assert (jobs.folder(done) / "output" / "manifest.json").exists()
    cancel(jobs, running(jobs, **SLOW))
    suspend_and_resume(jobs, running(jobs, stepSeconds=1))
    delete(jobs, state, done)


@pytest.mark.release
def test_a_new_operator_takes_over_the_jobs_of_old_workers(system: System, jobs: Jobs, state: redis.Redis) -> None:
    first = operator_of(system, OLD, "before")
    worker_of(system, OLD)
    done, cancelled, suspended, deleted = (running(jobs, **SLOW) for _ in range(4))

    first.stop()
    operator_of(system, NEW, "after")

    delete(jobs, state, deleted)
    cancel(jobs, cancelled)
    suspend_and_resume(jobs, suspended)  # its second attempt is sent by the new operator, and runs in an old worker
    assert result(jobs, done) == ("Succeeded", 1, 0)
    delete(jobs, state, done)


@pytest.mark.parametrize(
    ("before", "after", "both"),
    [
        pytest.param(OLD, NEW, False, id="upgrade of the operator", marks=pytest.mark.release),
        pytest.param(NEW, OLD, False, id="rollback of the operator", marks=pytest.mark.release),
        pytest.param(OLD, NEW, True, id="upgrade of both"),
        pytest.param(NEW, OLD, True, id="rollback of both", marks=pytest.mark.release),
    ],
)
def test_a_running_job_survives_an_exchange_of_the_operator_or_of_both(
    system: System, jobs: Jobs, before: str, after: str, *, both: bool
) -> None:
    operator = operator_of(system, before, "before")
    worker = worker_of(system, before)
    name = running(jobs, stepSeconds=2)

    operator.stop()
    operator_of(system, after, "after")
    if both:
        worker.stop()
        worker_of(system, after)  # with the same node name, as a pod of a StatefulSet

    assert result(jobs, name) == ("Succeeded", 2 if both else 1, 0)
