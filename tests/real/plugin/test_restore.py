"""`restore` on the real system."""

from __future__ import annotations

from devcluster import wait_until
from devcluster.harness.jobs import Jobs
from tests.support.plugin import Program


def test_restore_brings_a_deleted_result_back(jobs: Jobs, recon: Program) -> None:
    name = jobs.create_in("Succeeded")
    mesh = (jobs.folder(name) / "output" / "model.glb").read_bytes()
    taken = recon("restore", name)
    assert (taken.returncode, f"there is a job {name}" in taken.stderr) == (1, True)
    folder = jobs.folder(name)
    jobs.delete(name)
    jobs.wait_gone(name)
    wait_until(lambda: not folder.exists(), "the folder to be cleaned up", timeout_seconds=60)

    done = recon("restore", name)

    assert done.returncode == 0, done.stderr
    assert jobs.get(name)["status"]["reusedFrom"]
    assert (jobs.folder(name) / "output" / "model.glb").read_bytes() == mesh
    again = recon("retry", name)
    assert (again.returncode, "names no photos: submit them again" in again.stderr) == (2, True)


def test_restore_of_a_name_that_is_not_in_the_trash_fails(jobs: Jobs, recon: Program) -> None:
    done = recon("restore", "nothing")

    assert (done.returncode, "RESULT_NOT_FOUND" in done.stdout + done.stderr) == (3, True)
    latest = recon("restore", "@latest")
    assert (latest.returncode, "is not deleted" in latest.stderr) == (2, True)
