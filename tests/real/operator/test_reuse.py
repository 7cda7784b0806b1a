"""Results outlive their jobs: a job that is deleted or restored finds its result instead of running again.

docs/results.md and docs/backups.md promise what is tested here.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from devcluster import wait_until
from devcluster.harness.jobs import Jobs
from devcluster.harness.system import System
from tests.support.photos import make_photo

_QUEUE = "rough"


@pytest.fixture
def system(system_that_counts_runs: System) -> System:
    return system_that_counts_runs


@pytest.fixture
def photos(photos_root: Path, namespace: str) -> Path:
    """Two photos of the test's own."""
    folder = photos_root / namespace
    folder.mkdir()
    for name in ("a", "b"):
        (folder / f"{name}.jpg").write_bytes(make_photo())
    return folder


def create(jobs: Jobs, photos: Path, name: str, **spec: Any) -> str:
    return jobs.create(name, modelType="rough-versioned", queue=_QUEUE, input={"uri": f"file://{photos}"}, **spec)


def runs(folder: Path) -> int:
    return len(list(folder.iterdir()))


def delete(jobs: Jobs, name: str) -> dict[str, Any]:
    """Delete the object, and wait until its folder is cleaned up; return the object as it was."""
    before = jobs.get(name)
    folder = jobs.folder(name)
    jobs.delete(name)
    jobs.wait_gone(name)
    wait_until(lambda: not folder.exists(), f"the folder of {name} to be cleaned up", timeout_seconds=60)
    return before


def restore(jobs: Jobs, exported: dict[str, Any]) -> None:
    """Restore as `kubectl apply` does with a backup: the spec alone, without the fields that the API server sets."""
    cleaned = exported | {"metadata": {key: exported["metadata"][key] for key in ("name", "namespace")}}
    jobs.system.cluster.kubectl("apply", "-f", "-", input=json.dumps(cleaned))


def trashed(jobs: Jobs, uid: str) -> list[Path]:
    return list((jobs.system.jobs_dir / ".trash").glob(f"*/*/{uid}~*"))


def test_a_job_that_is_restored_does_not_run_again(jobs: Jobs, photos: Path, runs_folder: Path) -> None:
    before = runs(runs_folder)
    name = create(jobs, photos, "banana")
    jobs.wait_phase(name, "Succeeded")
    old = delete(jobs, name)

    restore(jobs, old)

    status = jobs.wait_phase(name, "Succeeded")["status"]
    assert (status["reusedFrom"]["uid"], status["reusedFrom"]["attempt"]) == (old["metadata"]["uid"], 1)
    assert status["outputs"]["uri"] == f"file://{jobs.folder(name)}/output"
    assert old["metadata"]["uid"] in jobs.wait_event(name, "Reused")[2]
    assert runs(runs_folder) == before + 1


def test_a_deleted_jobs_mesh_comes_back_without_its_photos(jobs: Jobs, photos: Path, runs_folder: Path) -> None:
    name = create(jobs, photos, "banana")
    jobs.wait_phase(name, "Succeeded")
    before = runs(runs_folder)
    old = delete(jobs, name)
    assert len(trashed(jobs, old["metadata"]["uid"])) == 1
    for photo in photos.iterdir():
        photo.unlink()

    restore(jobs, old)
    assert jobs.wait_finished(name)["status"]["failure"]["reason"] == "TOO_FEW_IMAGES"
    jobs.delete(name)
    jobs.wait_gone(name)
    restore(jobs, old | {"spec": old["spec"] | {"reuse": "Required"}})

    status = jobs.wait_phase(name, "Succeeded")["status"]
    assert status["reusedFrom"]["uid"] == old["metadata"]["uid"]
    assert (jobs.folder(name) / "output" / "model.glb").read_bytes() == b"glTF"
    assert runs(runs_folder) == before


@pytest.mark.parametrize("edited", [False, True], ids=["created-so", "edited-after-its-end"])
def test_the_result_of_a_job_with_the_policy_delete_is_deleted_with_it(
    jobs: Jobs, photos: Path, *, edited: bool
) -> None:
    name = create(jobs, photos, "banana", **({} if edited else {"deletionPolicy": "Delete"}))
    jobs.wait_phase(name, "Succeeded")
    if edited:
        jobs.patch(name, deletionPolicy="Delete")
    old = delete(jobs, name)
    assert trashed(jobs, old["metadata"]["uid"]) == []
