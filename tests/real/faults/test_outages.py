"""Outages of servers and processes: every job still ends, once, and its progress never falls."""

import pytest
import redis

from devcluster import Redis, wait_until
from devcluster.harness.jobs import Jobs, Seen, phase
from devcluster.harness.replicas import Replica
from devcluster.harness.system import System
from tests.support.controller.dispatch import serve

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]


def _finish_all(jobs: Jobs, seen: Seen, names: list[str]) -> None:
    for name in names:
        job = jobs.wait_finished(name, timeout_seconds=120)
        assert job["status"]["phase"] == "Succeeded", job["status"]
        seen.assert_never_backwards(name)
        ended = [phase(version) for version in seen.of(name) if phase(version) in {"Succeeded", "Failed", "Cancelled"}]
        assert set(ended) <= {"Succeeded"}


def test_jobs_survive_the_loss_of_all_data_in_redis(jobs: Jobs, seen: Seen, server: Redis) -> None:
    names = [jobs.create() for _ in range(6)]
    jobs.wait_phase(names[0], "Running")

    server.flushall()

    _finish_all(jobs, seen, names)
    assert all(jobs.get(name)["status"].get("failures", 0) == 0 for name in names)


@pytest.mark.release
def test_jobs_deleted_while_operator_and_data_are_lost_leave_no_files(
    jobs: Jobs, server: Redis, system: System
) -> None:
    deleted = [jobs.create() for _ in range(3)]
    stays = jobs.create()
    for name in (*deleted, stays):
        jobs.wait_finished(name)
    folders = [jobs.folder(name) for name in deleted]
    result = jobs.folder(stays) / "output" / "model.glb"
    assert all(folder.is_dir() for folder in folders)

    system.processes["operator"].kill()
    for name in deleted:
        jobs.delete(name)
    server.flushall()
    system.start_operator()

    wait_until(
        lambda: not any(folder.exists() for folder in folders),
        "the folders of the deleted jobs to be deleted",
        seen=system.processes["operator"].log_end,
    )
    assert result.is_file()


def test_a_cancel_confirmed_while_redis_hangs_is_carried_out(jobs: Jobs, server: Redis) -> None:
    name = jobs.create_in("Running")
    jobs.request_cancel(name)

    server.pause()
    jobs.confirm_cancel(name)
    server.resume()

    assert jobs.wait_finished(name)["status"]["phase"] == "Cancelled"


def test_the_job_of_a_killed_worker_runs_again(jobs: Jobs, seen: Seen, system: System) -> None:
    name = jobs.create_in("Running")

    system.processes["worker"].kill()
    system.start_worker("second", concurrency=4)

    job = jobs.wait_finished(name, timeout_seconds=120)
    assert (job["status"]["phase"], job["status"]["attempt"], job["status"]["failures"]) == ("Succeeded", 2, 1)
    seen.assert_never_backwards(name)
    assert jobs.wait_event(name, "WorkerLost")[0] == "Warning"


@pytest.mark.release
def test_jobs_in_every_phase_survive_a_restart_of_the_operator(
    jobs: Jobs, seen: Seen, system: System, state: redis.Redis
) -> None:
    serve(state, "later")
    running = jobs.create()
    queued = jobs.create(queue="later")
    suspended = jobs.create(suspend=True)
    cancelled = jobs.create(queue="later")
    failed = jobs.create(modelType="photogrammetry", input={"uri": "file:///nowhere"})
    jobs.wait_phase(running, "Running")
    jobs.wait_phase(queued, "Queued")
    jobs.wait_phase(suspended, "Suspended")
    jobs.wait_phase(failed, "Failed")

    system.processes["operator"].kill()
    jobs.cancel(cancelled)
    jobs.patch(suspended, suspend=False)
    deleted = jobs.create()
    jobs.delete(deleted)
    system.start_operator()
    system.start_worker("later", WORKER_POOLS="later")

    _finish_all(jobs, seen, [running, queued, suspended])
    assert jobs.wait_finished(cancelled)["status"]["phase"] == "Cancelled"
    assert jobs.get(failed)["status"]["attempt"] == 1


@pytest.mark.release
def test_a_paused_leader_changes_no_job_when_it_resumes(jobs: Jobs, seen: Seen, system: System) -> None:
    system.start_operator("standby")
    names = [jobs.create() for _ in range(4)]
    jobs.wait_phase(names[0], "Running")

    system.processes["operator"].pause()
    for name in names:
        jobs.wait_finished(name, timeout_seconds=120)
    before = {name: jobs.get(name)["status"] for name in names}
    system.processes["operator"].resume()
    jobs.wait_finished(jobs.create())

    Replica(system).wait_metric("reconstruction_leader", 0)
    Replica(system, "standby").wait_metric("reconstruction_leader", 1)
    assert {name: jobs.get(name)["status"] for name in names} == before
    for name in names:
        seen.assert_never_backwards(name)
