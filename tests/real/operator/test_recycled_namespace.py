"""A namespace that is deleted and created again: its tenant gets nothing of the earlier tenant, unless names decide."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from devcluster import wait_until
from devcluster.harness.jobs import Jobs
from devcluster.harness.system import System
from tests.real.operator.conftest import start_counting
from tests.support.photos import make_photo
from tests.support.systems import SharedSystems

_QUEUE = "rough"


@pytest.fixture(params=["uid", pytest.param("name", marks=pytest.mark.release)])
def identity(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def system(start_system: SharedSystems, photos_root: Path, runs_folder: Path, identity: str) -> System:
    return start_counting(start_system, photos_root, runs_folder, NAMESPACE_IDENTITY=identity)


@pytest.fixture
def photos(photos_root: Path, namespace: str) -> Path:
    folder = photos_root / namespace
    folder.mkdir()
    for name in ("a", "b"):
        (folder / f"{name}.jpg").write_bytes(make_photo())
    return folder


def create(jobs: Jobs, photos: Path, **spec: Any) -> dict[str, Any]:
    """Create the job `banana`, and return it when it has finished."""
    name = jobs.create("banana", modelType="rough-versioned", queue=_QUEUE, input={"uri": f"file://{photos}"}, **spec)
    return jobs.wait_finished(name)


def test_a_later_namespace_of_the_same_name_takes_no_result_over(jobs: Jobs, photos: Path, identity: str) -> None:
    first = create(jobs, photos)
    folder, cluster = jobs.folder("banana"), jobs.system.cluster
    cluster.kubectl("delete", "namespace", jobs.namespace)
    wait_until(lambda: not folder.exists(), "the job's folder to be cleaned up", timeout_seconds=90)
    cluster.api.post("/api/v1/namespaces", {"metadata": {"name": jobs.namespace}})

    taken_over = create(jobs, photos, reuse="Required")["status"]
    jobs.delete("banana")
    jobs.wait_gone("banana")
    again = create(jobs, photos)["status"]
    assert again["phase"] == "Succeeded"
    if identity == "name":
        assert taken_over["reusedFrom"]["uid"] == first["metadata"]["uid"]
        assert "reusedFrom" in again
    else:
        assert taken_over["failure"]["reason"] == "RESULT_NOT_FOUND"
        assert "reusedFrom" not in again

    jobs.delete("banana")
    jobs.wait_gone("banana")
    assert create(jobs, photos)["status"]["reusedFrom"], "a tenant's own result is found"
