"""Files of a failed run for inspection: they are kept as long as the job."""

from __future__ import annotations

from pathlib import Path

import pytest
import redis
from reconstruction_operator.contract.outcomes import Outcome
from reconstruction_operator.jobfiles.layout import JobFolder
from reconstruction_operator.services import file_handler, job_manager
from reconstruction_operator.tasks.reconstruction import process_reconstruction
from reconstruction_operator.worker.attempt.failures import ReconstructionFailedError

from tests.support.photos import make_photo
from tests.support.worker.attempts import JOB, end, run

pytestmark = pytest.mark.usefixtures("wanted", "rough_models")


def fail(photos: str, reason: str, **envelope: object) -> None:
    with pytest.raises(ReconstructionFailedError, match=reason):
        run(model="rough-remains", input_uri=photos, parameters={"reason": reason}, **envelope)


def kept() -> list[str]:
    return sorted(
        path.relative_to(space.root).as_posix()
        for space in JobFolder.of(JOB).workspaces()
        for path in space.root.rglob("*")
        if path.is_file()
    )


def test_a_final_failure_keeps_files_and_its_message_names_their_folder(photos: str, client: redis.Redis) -> None:
    fail(photos, "NOT_ENOUGH_OVERLAP")
    assert kept() == ["failed/sparse/points.txt", "owner.json"]
    (space,) = JobFolder.of(JOB).workspaces()
    assert end(client).message == f"1 of 9 photos overlaps; the files of the run are in file://{space.failed}"


def test_files_for_inspection_are_deleted_with_the_job(photos: str, jobs_dir: Path) -> None:
    fail(photos, "NOT_ENOUGH_OVERLAP")
    assert file_handler.delete_job_files(JOB)
    assert list(jobs_dir.iterdir()) == []


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        pytest.param(False, ["loaded/a.jpg", "loaded/photos.json", "owner.json"], id="another-attempt-follows"),
        pytest.param(True, ["failed/sparse/points.txt", "owner.json"], id="the-last-attempt"),
    ],
)
def test_a_retriable_failure_keeps_files_only_if_no_attempt_follows(
    last: bool, expected: list[str], photos: str, client: redis.Redis
) -> None:
    fail(photos, "BACKEND_CRASHED", last=last)
    assert kept() == expected
    assert ("the files of the run" in end(client).message) is last


def test_a_full_disk_and_a_bare_task_keep_no_files(photos: str, jobs_dir: Path) -> None:
    fail(photos, "DISK_FULL", last=True)
    bare = JobFolder.of("bare")
    bare.input.mkdir(parents=True)
    (bare.input / "a.jpg").write_bytes(make_photo())
    done = process_reconstruction.apply(args=("bare", "rough-remains"), task_id="bare")
    assert "NOT_ENOUGH_OVERLAP" in str(done.result)
    assert sorted(path.relative_to(jobs_dir).as_posix() for path in jobs_dir.rglob("*") if path.is_file()) == [
        "bare/input/a.jpg"
    ]


def test_a_cancel_deletes_files_for_inspection(
    photos: str, client: redis.Redis, jobs_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finish = job_manager.get_redis_client
    asked: list[int] = []

    def cancel_late() -> redis.Redis:
        if not asked and (spaces := JobFolder.of(JOB).workspaces()) and spaces[0].failed.exists():
            asked.append(1)
            job_manager.request_cancellation(JOB)
            job_manager.confirm_cancellation(JOB)
        return finish()

    monkeypatch.setattr(job_manager, "get_redis_client", cancel_late)
    run(model="rough-remains", input_uri=photos, parameters={"reason": "NOT_ENOUGH_OVERLAP"})
    assert end(client).outcome is Outcome.CANCELLED
    assert list(jobs_dir.iterdir()) == []
