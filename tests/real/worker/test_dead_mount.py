"""Clean-ups that hang on a dead mount occupy each slot once, for seconds, and leave no process."""

import json
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from reconstruction_operator.api import codec

from devcluster import Redis, wait_until
from devcluster.harness.workers import Farm
from devcluster.mounts import dead_mount
from tests.support.refs import make_attempt

SLOTS = 4


@pytest.fixture
def meshes(tmp_path: Path) -> Path:
    folder = tmp_path / "meshes"
    folder.mkdir()
    return folder


@pytest.fixture
def farm(server: Redis, meshes: Path) -> Iterator[Farm]:
    with Farm(server, OUTPUT_ROOTS=str(meshes)) as running:
        yield running


def cancelled_job(farm: Farm, job_id: str, place: Path) -> None:
    """Make a cancelled job whose worker was killed after its delivery; its note names the copy."""
    note = farm.jobs_dir / job_id / "attempts" / "1-x" / "owner.json"
    note.parent.mkdir(parents=True)
    note.write_text(
        json.dumps({"attempt": codec.encode(make_attempt(job_id)), "outputUri": f"file://{place / job_id}"})
    )
    farm.put_record(job_id, 1)
    farm.cancel(job_id)


def deletions(pid: int) -> list[psutil.Process]:
    running = []
    for child in psutil.Process(pid).children(recursive=True):
        try:
            running += [child] if any("worker.withdrawal" in part for part in child.cmdline()) else []
        except psutil.Error:
            continue
    return running


@pytest.mark.release
def test_clean_ups_on_a_dead_mount_leave_the_slots_to_jobs(farm: Farm, meshes: Path, job_id: str) -> None:
    worker = farm.start_worker(concurrency=SLOTS)
    with dead_mount(meshes / "dead") as is_dead:
        for number in range(3 * SLOTS):
            cancelled_job(farm, f"{job_id}-{number}", meshes / "dead")
            farm.order_cleanup(f"{job_id}-{number}")
        if is_dead:
            wait_until(lambda: deletions(worker.pid), "a clean-up to hang")

        done = [farm.send(f"{job_id}-next-{number}", "placeholder") for number in range(SLOTS - 1)]

        for result in done:
            farm.wait_state(result, "SUCCESS", timeout_seconds=60.0)
        wait_until(lambda: not deletions(worker.pid), "the clean-ups to end")
        assert all((farm.jobs_dir / f"{job_id}-{number}").exists() for number in range(3 * SLOTS)) is is_dead
