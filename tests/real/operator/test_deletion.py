"""Deletion: an object can be deleted in any phase, at once, and nothing of its job is left."""

from pathlib import Path

import pytest
import redis

from devcluster import wait_until
from devcluster.harness.jobs import Jobs

_DEADLINE_SECONDS = 60.0


def _delete_and_expect_nothing_left(jobs: Jobs, state: redis.Redis, name: str) -> None:
    folder = jobs.folder(name)
    uid = jobs.get(name)["metadata"]["uid"]

    jobs.delete(name)

    jobs.wait_gone(name, timeout_seconds=5)  # no finalizer: at once
    _expect_nothing_left(state, folder, uid)


def _expect_nothing_left(state: redis.Redis, folder: Path, uid: str) -> None:
    wait_until(lambda: not folder.exists(), f"{folder} to be deleted", timeout_seconds=_DEADLINE_SECONDS)
    wait_until(
        lambda: not state.exists(f"job:{uid}"),
        f"the record of {uid} to be forgotten",
        timeout_seconds=_DEADLINE_SECONDS,
    )
    assert not state.keys(f"*{uid}*"), "flags of the job, or its heartbeat, are left"


@pytest.mark.parametrize(
    ("phase", "spec"),
    [
        pytest.param("Suspended", {"suspend": True}, id="suspended"),
        pytest.param("Running", {"queue": "slow"}, id="running"),
        pytest.param("Succeeded", {}, id="succeeded"),
        pytest.param("Failed", {"modelType": "photogrammetry", "input": {"uri": "file:///nowhere"}}, id="failed"),
    ],
)
def test_a_deleted_job_leaves_nothing(jobs: Jobs, state: redis.Redis, phase: str, spec: dict[str, object]) -> None:
    name = jobs.create(**spec)
    jobs.wait_phase(name, phase)

    _delete_and_expect_nothing_left(jobs, state, name)


@pytest.mark.parametrize("phase", ["", "Cancelled"], ids=["during", "after"])
def test_a_job_deleted_during_or_after_its_cancel_leaves_nothing(jobs: Jobs, state: redis.Redis, phase: str) -> None:
    name = jobs.create_in("Running", queue="slow")
    jobs.cancel(name)
    if phase:
        jobs.wait_phase(name, phase)

    _delete_and_expect_nothing_left(jobs, state, name)


def test_a_deleted_namespace_with_jobs_leaves_nothing(jobs: Jobs, state: redis.Redis) -> None:
    running = jobs.create(queue="slow", parameters={"stepSeconds": 30})
    names = [running, jobs.create(), jobs.create(suspend=True)]
    for name in names:
        jobs.wait(name, "seen", lambda job: bool(job.get("status", {}).get("phase")))
    jobs.wait_phase(running, "Running")
    jobs.request_cancel(running)
    uids = {name: str(jobs.get(name)["metadata"]["uid"]) for name in names}
    folders = {name: jobs.folder(name) for name in names}
    uid = uids[running]
    wait_until(folders[running].is_dir, f"{folders[running]} to exist")
    keys = {f"job:{uid}", f"cancel_request:{uid}", f"alive:{uid}"}
    wait_until(
        lambda: set(state.keys(f"*{uid}*")) >= keys,
        f"record, flag and heartbeat of {running} to exist",
        seen=lambda: state.keys(f"*{uid}*"),
    )

    jobs.system.cluster.kubectl("delete", "namespace", jobs.namespace, "--timeout=90s")

    assert not jobs.system.cluster.api.is_there(f"/api/v1/namespaces/{jobs.namespace}")
    for name in names:
        _expect_nothing_left(state, folders[name], uids[name])
