"""Restore from a backup: the object is new and has another uid, and its status is restored only if the tool does that.

docs/backups.md promises what is tested here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import redis

from devcluster import wait_until
from devcluster.errors import CommandError
from devcluster.harness.jobs import Jobs, condition
from devcluster.servers.processes import Process

Exported = dict[str, Any]


@pytest.fixture
def operator(jobs: Jobs) -> Process:
    return jobs.system.processes["operator"]


@contextmanager
def stopped(operator: Process) -> Iterator[None]:
    """Stop the operator, so that it lists an object with the restored status: a watch may deliver the object before."""
    operator.stop()
    yield
    operator.start()


def export(jobs: Jobs, name: str) -> Exported:
    """Return the object as a backup has it, and delete it."""
    job = jobs.get(name)
    jobs.delete(name)
    jobs.wait_gone(name)
    return job


def restore(jobs: Jobs, exported: Exported, **spec: Any) -> str:
    """Restore as every tool begins: `kubectl apply` without the fields that the API server sets. Return the uid."""
    _kubectl(jobs, _cleaned(exported) | {"spec": exported["spec"] | spec}, "apply")
    uid: str = jobs.get(exported["metadata"]["name"])["metadata"]["uid"]
    assert uid != exported["metadata"]["uid"]
    return uid


def restore_status(jobs: Jobs, exported: Exported) -> None:
    """Restore the status, as some backup tools do."""

    def written() -> bool:
        # The operator may write at the same moment; a tool would retry too.
        return _kubectl(jobs, _cleaned(exported), "replace", "--subresource=status", check=False) == 0

    wait_until(written, f"the status of {exported['metadata']['name']} to be restored")


def _cleaned(exported: Exported) -> Exported:
    kept = ("name", "namespace", "labels", "annotations")
    return exported | {"metadata": {key: value for key, value in exported["metadata"].items() if key in kept}}


def _kubectl(jobs: Jobs, body: Exported, *command: str, check: bool = True) -> int:
    return jobs.system.cluster.kubectl(*command, "-f", "-", input=json.dumps(body), check=check).returncode


def test_a_job_restored_without_its_status_runs_again_in_a_folder_of_its_own(jobs: Jobs) -> None:
    name = jobs.create_in("Succeeded")
    exported = export(jobs, name)

    uid = restore(jobs, exported)
    again = jobs.wait_phase(name, "Succeeded")

    assert again["status"]["attempt"] == 1
    assert uid in again["status"]["outputs"]["uri"]
    assert exported["metadata"]["uid"] in exported["status"]["outputs"]["uri"]


def test_a_finished_job_restored_with_its_status_never_runs(jobs: Jobs, state: redis.Redis, operator: Process) -> None:
    exported = export(jobs, jobs.create_in("Succeeded"))
    name = exported["metadata"]["name"]

    with stopped(operator):
        uid = restore(jobs, exported)
        restore_status(jobs, exported)

    # The operator has seen it: the end that would stop a message of it exists.
    wait_until(lambda: state.hexists(f"job:{uid}", "outcome"), f"{name} to be closed in Redis")
    assert jobs.get(name)["status"] == exported["status"]  # outputs too, whose files were deleted with the first object
    assert not jobs.folder(name).exists()


def test_a_status_restored_under_a_running_operator_stops_the_new_attempt(jobs: Jobs, state: redis.Redis) -> None:
    exported = export(jobs, jobs.create_in("Succeeded"))
    name = exported["metadata"]["name"]

    # With the parameters of the first run it would end before it is stopped.
    uid = restore(jobs, exported, queue="slow", parameters={})
    jobs.wait_phase(name, "Running")
    restore_status(jobs, exported)

    wait_until(lambda: not state.exists(f"alive:{uid}"), f"the attempt of {name} to stop", timeout_seconds=30)
    assert jobs.get(name)["status"]["phase"] == "Succeeded"
    assert state.hexists(f"job:{uid}", "stop")


def test_a_running_job_restored_with_its_status_runs_again_without_a_failure(jobs: Jobs, operator: Process) -> None:
    exported = export(jobs, jobs.create_in("Running", queue="slow"))
    name = exported["metadata"]["name"]

    with stopped(operator):
        restore(jobs, exported, queue="celery")
        restore_status(jobs, exported)

    ended = jobs.wait_finished(name)
    assert (condition(ended, "Finished")["reason"], ended["status"].get("failures", 0)) == ("Succeeded", 0)


def cancelled(jobs: Jobs) -> Exported:
    """A cancelled job as a backup has it."""
    name = jobs.create_in("Running", queue="slow")
    jobs.cancel(name)
    jobs.wait_phase(name, "Cancelled")
    return export(jobs, name)


def labelled(exported: Exported, **metadata: Any) -> Exported:
    return exported | {"metadata": exported["metadata"] | metadata}


@pytest.mark.parametrize(
    "mark",
    [
        pytest.param({"annotations": {"reconstruction.dev/restored": "true"}}, id="kubectl"),
        pytest.param({"labels": {"velero.io/restore-name": "nightly"}}, id="velero"),
    ],
)
@pytest.mark.parametrize("with_status", [False, True], ids=["spec", "spec-and-status"])
def test_a_cancelled_job_is_restored_as_cancelled_and_never_runs(
    jobs: Jobs, state: redis.Redis, operator: Process, mark: dict[str, Any], *, with_status: bool
) -> None:
    exported = cancelled(jobs)
    name = exported["metadata"]["name"]
    with pytest.raises(CommandError, match="a new job cannot be cancelled already"):
        restore(jobs, exported)

    with stopped(operator):
        uid = restore(jobs, labelled(exported, **mark))
        if with_status:
            restore_status(jobs, exported)

    restored = jobs.wait_phase(name, "Cancelled")
    assert (restored["spec"]["cancelRequested"], restored["spec"]["cancelConfirmed"]) == (True, True)
    jobs.create_in("Succeeded")  # a later job: the operator has seen both
    assert jobs.get(name)["status"]["phase"] == "Cancelled"
    assert not jobs.folder(name).exists()
    assert not state.exists(f"alive:{uid}")


def test_a_job_whose_cancel_was_only_requested_is_restored_and_runs(jobs: Jobs) -> None:
    name = jobs.create_in("Running", queue="slow")
    jobs.request_cancel(name)
    exported = export(jobs, name)

    restore(jobs, labelled(exported, annotations={"reconstruction.dev/restored": "true"}), queue="celery")

    assert jobs.wait_phase(name, "Succeeded")["spec"]["cancelRequested"]
