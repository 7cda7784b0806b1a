"""Attempts with photos in object storage, and with results delivered there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import redis
from reconstruction_operator.contract.outcomes import Outcome, StopReason
from reconstruction_operator.jobfiles.layout import JobFolder
from reconstruction_operator.tasks.cleanup import clean_up
from reconstruction_operator.transfer.objects import layout
from reconstruction_operator.transfer.objects.process import ObjectTarget
from reconstruction_operator.transfer.runs import DeliveringRun
from reconstruction_operator.worker.attempt.copies import Copies
from reconstruction_operator.worker.attempt.failures import ReconstructionFailedError

from devcluster import wait_until
from tests.support.photos import make_photo
from tests.support.servers.objects import Bucket
from tests.support.settings import configure
from tests.support.worker.attempts import JOB, KilledError, at_step, deliver_and_die, end, run, stop, want

pytestmark = pytest.mark.usefixtures("wanted", "rough_models")


@pytest.fixture
def photos(bucket: Bucket) -> str:
    """The URI of two photos."""
    for name in ("a.jpg", "b.jpg"):
        bucket.put(f"banana/{name}", make_photo())
    return f"s3://{bucket.name}/banana/"


def test_a_failure_that_is_not_retried_leaves_no_files(photos: str, jobs_dir: Path) -> None:
    with pytest.raises(ReconstructionFailedError, match="NOT_ENOUGH_OVERLAP"):
        run(model="rough-failure", input_uri=photos)
    assert list(jobs_dir.iterdir()) == []


def test_a_failed_upload_keeps_the_result_and_the_retry_only_delivers(
    bucket: Bucket, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = f"s3://{bucket.name}/meshes"
    with monkeypatch.context() as broken:

        def break_off() -> None:
            broken.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
            configure(broken, STORAGE_STALL_SECONDS=0.3)

        at_step(6, break_off, broken)
        with pytest.raises(ReconstructionFailedError, match=r"OUTPUT_UPLOAD_FAILED: .* the result is in file:///"):
            run(output_uri=uri)
    inode = (JobFolder.of(JOB).output / "model.glb").stat().st_ino
    want(client, 2)
    run(2, output_uri=uri)
    assert end(client, 2).outcome is Outcome.SUCCEEDED
    assert (JobFolder.of(JOB).output / "model.glb").stat().st_ino == inode
    assert "meshes/result.json" in bucket.keys


def test_a_clean_up_deletes_the_copy_of_a_killed_worker(bucket: Bucket, client: redis.Redis) -> None:
    deliver_and_die(f"s3://{bucket.name}/meshes")
    assert "meshes/result.json" in bucket.keys
    clean_up(JOB)
    assert bucket.keys == []


def test_a_clean_up_deletes_the_probe_of_a_killed_worker(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(_copies: Copies) -> None:
        bucket.put(f"meshes/{JOB}/{layout.probe_of(1)}", b"")
        raise KilledError

    monkeypatch.setattr(Copies, "check", die)
    with pytest.raises(KilledError):
        run(output_uri=f"s3://{bucket.name}/meshes")
    clean_up(JOB)
    assert bucket.keys == []


def test_a_probe_that_arrives_after_a_stopped_run_has_cleaned_up_is_deleted_with_the_job(
    bucket: Bucket, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_target: ObjectTarget, _run: DeliveringRun, check: Callable[[], None]) -> bool:
        stop(client, 1, StopReason.DELETED)
        wait_until(check, "the stop", timeout_seconds=10)  # raises
        return False

    monkeypatch.setattr(ObjectTarget, "check", interrupted)
    run(output_uri=f"s3://{bucket.name}/meshes")
    assert end(client).reason == "DELETED"
    bucket.put(f"meshes/{JOB}/{layout.probe_of(1)}", b"")  # the server had the request of the killed process
    clean_up(JOB)
    assert bucket.keys == []
