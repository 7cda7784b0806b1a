"""Workers that are killed, cancelled, or run out of disk in the middle of a job whose photos and result are in a
bucket.
"""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

import psutil
import pytest

from chaos.system.proxies.tcp import TcpProxy
from devcluster import wait_until
from devcluster.harness.workers import Farm
from devcluster.mounts import small_disk
from tests.support.results import JOB
from tests.support.storage import StorageJob

BUILD_SECONDS = 1800
pytestmark = [pytest.mark.long, pytest.mark.timeout(BUILD_SECONDS)]

SLOW_SECONDS = 0.2  # for each 64 kB
_BUSY_SECONDS = 8.0  # of a machine that others use
_DISK_MEGABYTES = 16


@pytest.fixture
def signs(tmp_path: Path) -> Path:
    """A file `finish` in it ends the model `rough-patient`."""
    return tmp_path


@pytest.mark.release
def test_a_worker_killed_during_the_download_costs_no_second_download(
    farm: Farm, job: StorageJob, proxy: TcpProxy
) -> None:
    job.put_photos()
    first = farm.start_worker("first", concurrency=1)
    proxy.delay(SLOW_SECONDS)
    job.send()
    job.wait_fetched()
    first.kill()
    before = job.fetched()
    farm.start_worker("second", concurrency=1)
    job.send(2)
    wait_until(
        lambda: before.items() <= job.fetched(2).items() and len(job.fetched(2)) > len(before),
        "the second attempt to reuse what the first one fetched",
        timeout_seconds=120,
        seen=farm.log_ends,
    )
    proxy.heal()
    assert job.end(2).outcome == "Succeeded", job.end(2)
    job.assert_delivered()


def test_the_photos_of_a_worker_killed_in_its_model_are_reused(farm: Farm, job: StorageJob, signs: Path) -> None:
    job.put_photos(3)
    first = farm.start_worker("first", concurrency=1, ROUGH_MODELS_SIGNS=str(signs))
    farm.wait_step(job.send(model="rough-patient"), "Running reconstruction")
    assert len(job.fetched(1)) == 3
    first.kill()
    (signs / "finish").touch()
    farm.start_worker("second", concurrency=1, ROUGH_MODELS_SIGNS=str(signs))
    job.send(2, "rough-patient")
    assert job.end(2).outcome == "Succeeded", job.end(2)
    job.assert_delivered()


@pytest.mark.parametrize("objects", [1, 3])
@pytest.mark.release
def test_the_successor_of_a_worker_killed_during_the_upload_delivers_a_whole_result(
    objects: int, farm: Farm, job: StorageJob, proxy: TcpProxy
) -> None:
    job.put_photos(1)
    first = farm.start_worker("first", concurrency=1)
    proxy.delay(SLOW_SECONDS)
    job.send()

    def is_sending() -> bool:
        if len(job.sent) < objects:
            return False
        proxy.silence()
        return True

    wait_until(is_sending, "the upload to begin", timeout_seconds=180, seen=farm.log_ends)
    first.kill()
    assert "meshes/result.json" not in job.delivered
    proxy.heal()
    farm.start_worker("second", concurrency=1)
    job.send(2)
    assert job.end(2).outcome == "Succeeded", job.end(2)
    job.assert_delivered()


@pytest.mark.parametrize("moment", ["download", pytest.param("upload", marks=pytest.mark.release)])
def test_a_cancel_ends_a_transfer_at_once_and_leaves_no_files(
    moment: str, farm: Farm, job: StorageJob, proxy: TcpProxy
) -> None:
    job.put_photos(10 if moment == "download" else 1)
    farm.start_worker(concurrency=1)
    proxy.delay(SLOW_SECONDS)
    job.send()
    job.wait_fetched() if moment == "download" else job.wait_sent()
    proxy.delay(5.0)  # it would take minutes now
    assert transfers(farm)
    farm.cancel(JOB)
    cancelled_at = time.monotonic()
    wait_until(lambda: not transfers(farm), "the transfer to end", seen=farm.log_ends)
    assert time.monotonic() - cancelled_at < 2.0 + _BUSY_SECONDS
    proxy.heal()
    assert job.end().outcome == "Cancelled"
    assert job.delivered == set()
    assert not (farm.jobs_dir / JOB).exists()


def test_a_disk_that_fills_up_fails_the_attempt_and_the_next_one_succeeds(
    farm: Farm, job: StorageJob, proxy: TcpProxy
) -> None:
    job.put_photos()
    with small_disk(farm.jobs_dir, _DISK_MEGABYTES) as is_small:
        farm.start_worker(concurrency=1)
        proxy.delay(SLOW_SECONDS)
        job.send()
        job.wait_fetched()
        filler = farm.jobs_dir / ".filler"
        if is_small:
            fill(filler)
        proxy.heal()
        first = job.end()
        assert first.outcome == ("Failed" if is_small else "Succeeded")
        assert first.reason == ("DISK_FULL" if is_small else "")
        filler.unlink(missing_ok=True)
        job.send(2)
        assert job.end(2).outcome == "Succeeded", job.end(2)
        job.assert_delivered()


def fill(path: Path) -> None:
    """Write a file until the disk is full."""
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(1 << 12))


def transfers(farm: Farm) -> list[int]:
    """Processes of the farm's workers that transfer objects."""
    running = []
    for worker in farm.processes.values():
        for child in psutil.Process(worker.pid).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                running += [child.pid] if any("transfer.objects.program" in part for part in child.cmdline()) else []
    return running
