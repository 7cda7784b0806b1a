"""Tenants: with allowlists by namespace, no job reads or writes the files of another tenant."""

import shutil
from pathlib import Path

import pytest

from devcluster.harness.jobs import Jobs
from devcluster.harness.system import REPOSITORY, System
from tests.support.systems import SharedSystems, Worker


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("photos")


@pytest.fixture(scope="module")
def meshes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("meshes")


@pytest.fixture
def system(start_system: SharedSystems, photos: Path, meshes: Path) -> System:
    """A worker that allows each namespace only the folders of its name."""
    return start_system(
        Worker(concurrency=2),
        INPUT_ROOTS=str(photos),
        NAMESPACE_INPUTS=f"*={photos}/{{namespace}}",
        OUTPUT_ROOTS=str(meshes),
        NAMESPACE_OUTPUTS=f"*={meshes}/{{namespace}}",
    )


def test_a_job_cannot_read_photos_of_another_namespace(jobs: Jobs, photos: Path) -> None:
    theirs = photos / "theirs"
    shutil.copytree(REPOSITORY / "tests" / "data" / "photos" / "berlin", theirs, dirs_exist_ok=True)
    (photos / jobs.namespace).mkdir()
    (photos / jobs.namespace / "link").symlink_to(theirs)
    spec = {"modelType": "photogrammetry", "parameters": {"quality": "fast"}}

    for uri in (f"file://{theirs}", f"file://{photos}/{jobs.namespace}/link"):
        failure = jobs.wait_finished(jobs.create(input={"uri": uri}, **spec))["status"]["failure"]
        assert failure["reason"] == "INPUT_REFUSED"
        assert failure["message"].startswith(f"namespace {jobs.namespace} may not read ")
        assert f"this worker allows it only {photos}/{jobs.namespace}" in failure["message"]


def test_a_job_writes_only_to_the_folder_of_its_namespace(jobs: Jobs, meshes: Path) -> None:
    mine, theirs = meshes / jobs.namespace, meshes / "theirs"
    theirs.mkdir(exist_ok=True)
    mine.mkdir()
    (mine / "link").symlink_to(theirs)
    good = jobs.create(output={"uri": f"file://{mine}/mesh"})
    bad = [jobs.create(output={"uri": f"file://{uri}/mesh"}) for uri in (theirs, mine / "link")]

    for name in bad:
        failure = jobs.wait_finished(name)["status"]["failure"]
        assert failure["reason"] == "OUTPUT_REFUSED"
        assert failure["message"].startswith(f"namespace {jobs.namespace} may not write to ")
        assert f"this worker allows it only {mine}" in failure["message"]
    assert jobs.wait_finished(good)["status"]["phase"] == "Succeeded"
    assert (mine / "mesh" / "model.glb").exists()
    assert list(theirs.iterdir()) == []


def test_a_job_cannot_read_results_of_another_job(jobs: Jobs) -> None:
    first = jobs.create()
    jobs.wait_finished(first)

    job = jobs.wait_finished(
        jobs.create(modelType="photogrammetry", input={"uri": f"file://{jobs.folder(first)}/output"})
    )

    assert job["status"]["failure"]["reason"] == "INPUT_REFUSED"


def test_a_cancel_ignores_the_job_of_that_name_in_another_namespace(jobs: Jobs, system: System) -> None:
    system.cluster.api.post("/api/v1/namespaces", {"metadata": {"name": f"{jobs.namespace}-2"}})
    other = Jobs(system, f"{jobs.namespace}-2")
    for tenant in (jobs, other):
        tenant.create("same")
    jobs.wait_phase("same", "Running")
    jobs.cancel("same")

    assert jobs.wait_finished("same")["status"]["phase"] == "Cancelled"
    assert other.wait_finished("same")["status"]["phase"] == "Succeeded"
    system.cluster.api.delete(f"/api/v1/namespaces/{other.namespace}")
