"""Clean-up of a finished job, by the task that the operator sends."""

from __future__ import annotations

from pathlib import Path

import pytest
import redis
from reconstruction_operator.jobfiles import notes, trash, trashed
from reconstruction_operator.jobfiles.layout import JobFolder
from reconstruction_operator.services import job_manager
from reconstruction_operator.tasks.cleanup import clean_up
from reconstruction_operator.worker import job_deletion

from tests.support.refs import make_attempt
from tests.support.settings import configure
from tests.support.worker.attempts import JOB, kill_before_publishing, run, want

pytestmark = pytest.mark.usefixtures("wanted")


def test_cleanup_deletes_no_files_if_redis_lost_the_job(client: redis.Redis, jobs_dir: Path, meshes: Path) -> None:
    """The operator restores the flag of a cancelled job before its record. Without the flag, the copy would stay."""
    run(output_uri=f"file://{meshes}/banana")
    client.flushall()
    clean_up(JOB)
    assert (jobs_dir / JOB / "output").exists()
    assert client.keys() == []
    job_manager.assert_cancelled(JOB)
    want(client, 1)
    clean_up(JOB)
    assert list(jobs_dir.iterdir()) == list(meshes.iterdir()) == []


def test_cleanup_keeps_a_copy_outside_the_output_roots(
    jobs_dir: Path, meshes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kill_before_publishing(meshes)
    configure(monkeypatch, OUTPUT_ROOTS=())
    clean_up(JOB)
    assert list(jobs_dir.iterdir()) == []
    assert (meshes / "banana").is_dir()


def test_an_unreadable_note_keeps_its_folder(jobs_dir: Path, meshes: Path) -> None:
    """Only the note names the copy."""
    kill_before_publishing(meshes)
    (note,) = (jobs_dir / JOB / "attempts").glob("1-*/owner.json")
    text = note.read_text()
    note.unlink()
    note.mkdir()
    with pytest.raises(OSError, match="directory"):
        clean_up(JOB)
    (kept,) = (jobs_dir / JOB / "attempts").glob("*/owner.json")
    kept.rmdir()
    kept.write_text(text)
    clean_up(JOB)
    assert list(jobs_dir.iterdir()) == list(meshes.iterdir()) == []


@pytest.mark.parametrize(
    ("ordered", "noted", "kept"),
    [
        pytest.param(60, 0, True, id="the-operator-retains"),
        pytest.param(0, 60, False, id="the-operator-deletes"),
        pytest.param(None, 60, True, id="the-manifest-retains"),
        pytest.param(None, 0, False, id="the-manifest-deletes"),
    ],
)
def test_a_result_is_retained_by_the_order_or_else_by_its_manifest(
    ordered: int | None, noted: int, *, kept: bool, jobs_dir: Path
) -> None:
    run(namespace="default", name="banana", retain_seconds=noted)
    job_deletion.clean_up(JOB, retain_seconds=ordered)
    assert not (jobs_dir / JOB).exists()
    assert (trashed.find("default", JOB) is not None) is kept


def test_a_cancelled_jobs_result_is_deleted_from_the_trash_too(jobs_dir: Path) -> None:
    run(namespace="default", name="banana")
    job_deletion.clean_up(JOB, retain_seconds=60)
    job_manager.assert_cancelled(JOB)
    job_deletion.clean_up(JOB, retain_seconds=60)
    assert list(jobs_dir.iterdir()) == []


def test_a_repeated_clean_up_keeps_the_copy_of_a_result_in_the_trash(jobs_dir: Path, meshes: Path) -> None:
    run(namespace="default", name="banana", output_uri=f"file://{meshes}/banana")
    folder = JobFolder.of(JOB)
    workspace = folder.new_workspace(make_attempt(JOB))
    workspace.root.mkdir(parents=True)  # of a worker that died before it could delete this
    notes.note(workspace, make_attempt(JOB), f"file://{meshes}/banana")
    assert trash.keep(folder, 2e9)  # and the worker of the first clean-up died afterwards
    clean_up(JOB)
    assert (meshes / "banana" / "model.glb").is_file()
    assert not (jobs_dir / JOB).exists()
