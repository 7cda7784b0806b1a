"""Attempts whose photos lie in object storage, and whose results go there."""

from __future__ import annotations

from pathlib import Path

import pytest
import redis
from reconstruction_operator.contract.outcomes import Outcome
from reconstruction_operator.jobfiles.layout import JobFolder
from reconstruction_operator.worker.attempt.failures import ReconstructionFailedError

from tests.support.attempts import JOB, end, run, want
from tests.support.objects import Bucket
from tests.support.photos import make_photo

pytestmark = pytest.mark.usefixtures("wanted", "rough_models")


@pytest.fixture
def photos(bucket: Bucket) -> str:
    """The address of two photos."""
    for name in ("a.jpg", "b.jpg"):
        bucket.put(f"banana/{name}", make_photo())
    return f"s3://{bucket.name}/banana/"


def fetched() -> dict[str, int]:
    """Names and inodes of the files that the job's attempts have left."""
    return {
        path.name: path.stat().st_ino for space in JobFolder.of(JOB).workspaces() for path in space.fetched.iterdir()
    }


def test_photos_of_a_bucket_are_reconstructed_and_only_the_result_stays(photos: str, client: redis.Redis) -> None:
    run(model="rough-good", input_uri=photos)
    assert end(client).outcome is Outcome.SUCCEEDED
    assert [path.name for path in JobFolder.of(JOB).root.iterdir()] == ["output"]


def test_a_retry_takes_over_what_the_failed_attempt_has_fetched(photos: str, client: redis.Redis) -> None:
    with pytest.raises(ReconstructionFailedError, match="OUT_OF_MEMORY"):
        run(model="rough-memory", input_uri=photos)
    before = fetched()
    assert len(before) == 2
    want(client, 2)
    with pytest.raises(ReconstructionFailedError, match="OUT_OF_MEMORY"):
        run(2, model="rough-memory", input_uri=photos)
    assert fetched() == before


def test_a_failure_that_is_not_retried_leaves_no_files(photos: str, jobs_dir: Path) -> None:
    with pytest.raises(ReconstructionFailedError, match="NOT_ENOUGH_OVERLAP"):
        run(model="rough-failure", input_uri=photos)
    assert list(jobs_dir.iterdir()) == []
