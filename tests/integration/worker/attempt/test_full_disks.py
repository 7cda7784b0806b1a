"""Full disks: an error counts against the file system on which it happened, and only a full job volume costs results in
the trash.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
import redis
from reconstruction_operator.jobfiles import room, trashed
from reconstruction_operator.worker import job_deletion
from reconstruction_operator.worker.attempt.failures import ReconstructionFailedError

from devcluster.mounts import small_disk
from tests.support.worker.attempts import JOB, run, want

pytestmark = pytest.mark.usefixtures("wanted")

_MEBIBYTE = 1 << 20


def retain(client: redis.Redis, job_id: str, seconds: int, more_bytes: int = 0) -> None:
    """Run a job of another tenant and delete it: its result stays in the trash."""
    want(client, 1, job_id)
    run(job_id=job_id, namespace="red", name=job_id)
    job_deletion.clean_up(job_id, retain_seconds=seconds)
    kept = trashed.find("red", job_id)
    assert kept is not None
    (kept.path / "more").write_bytes(bytes(more_bytes))


def fill(folder: Path) -> None:
    """Fill the disk of the folder to the last byte."""
    with contextlib.suppress(OSError), (folder / ".filler").open("wb", buffering=0) as file:
        while True:
            file.write(bytes(512))


def retained() -> list[str]:
    return [kept.job_id for kept in trashed.entries()]


def test_a_full_disk_of_a_tenants_output_fails_the_delivery_and_costs_no_result(
    client: redis.Redis, jobs_dir: Path, meshes: Path
) -> None:
    retain(client, "other", 3600)
    with small_disk(meshes, 1) as is_small:
        if is_small:
            fill(meshes)
            with pytest.raises(ReconstructionFailedError, match=rf"OUTPUT_UPLOAD_FAILED: the disk is full at {meshes}"):
                run(output_uri=f"file://{meshes}/banana")
            assert (jobs_dir / JOB / "output" / "model.glb").is_file()
    assert retained() == ["other"]


@pytest.mark.usefixtures("rough_models")
def test_a_job_that_fills_the_volume_itself_costs_nobody_a_result(
    client: redis.Redis, jobs_dir: Path, folder: Path
) -> None:
    with small_disk(jobs_dir, 8) as is_small:
        for job_id in ("first", "second"):
            retain(client, job_id, 3600, _MEBIBYTE)
        if is_small:
            with pytest.raises(ReconstructionFailedError, match=r"DISK_FULL: [^;]*$"):
                run(model="rough-filler", namespace="blue", input_uri=f"file://{folder}")
            assert not (jobs_dir / JOB).exists()
        assert retained() == ["first", "second"]


def test_a_full_job_volume_costs_the_oldest_results_until_it_has_room(
    client: redis.Redis, jobs_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "_SETTLE_SECONDS", 0.2)
    with small_disk(jobs_dir, 8) as is_small:
        for number, job_id in enumerate(("first", "second", "third")):
            retain(client, job_id, 3600 * (number + 1), _MEBIBYTE)
        if is_small:
            fill(jobs_dir)
            with pytest.raises(ReconstructionFailedError, match=r"DISK_FULL: .*were deleted early, to make room: 1"):
                run()
            assert retained() == ["second", "third"]
