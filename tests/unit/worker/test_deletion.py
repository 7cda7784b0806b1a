"""Cleanup of a job that is over, by the task that the operator orders."""

from __future__ import annotations

from pathlib import Path

import pytest
import redis
from reconstruction_operator.contract.keys import Keys
from reconstruction_operator.contract.outcomes import Outcome
from reconstruction_operator.services import job_manager
from reconstruction_operator.tasks.cleanup import clean_up
from reconstruction_operator.transfer.directories import Directory

from tests.support.attempts import JOB, end_by_the_operator, kill_before_publishing, observe, run, want
from tests.support.deletions import delete_in_this_process
from tests.support.settings import configure

pytestmark = pytest.mark.usefixtures("wanted")


def test_cleanup_deletes_the_files_records_that_and_is_idempotent(client: redis.Redis, jobs_dir: Path) -> None:
    run()
    for _ in range(2):
        clean_up(JOB)
        assert observe(client).cleaned
        assert list(jobs_dir.iterdir()) == []


def test_cleanup_deletes_nothing_if_redis_lost_the_job(client: redis.Redis, jobs_dir: Path, meshes: Path) -> None:
    """The flag of a cancelled job comes back before its record. Without the flag, the copy would stay."""
    run(output_uri=f"file://{meshes}/banana")
    client.flushall()
    clean_up(JOB)
    assert (jobs_dir / JOB / "output").exists()
    assert client.keys() == []
    job_manager.assert_cancelled(JOB)
    want(client, 1)
    clean_up(JOB)
    assert list(jobs_dir.iterdir()) == list(meshes.iterdir()) == []


@pytest.mark.parametrize("flag", ["set", "expired"])
def test_cleanup_deletes_a_published_copy_only_if_the_job_was_cancelled(
    flag: str, client: redis.Redis, jobs_dir: Path, meshes: Path
) -> None:
    run(output_uri=f"file://{meshes}/banana")
    clean_up(JOB)
    assert list(jobs_dir.iterdir()) == []
    assert (meshes / "banana" / "model.glb").is_file()

    client.flushall()
    want(client, 1)
    run(output_uri=f"file://{meshes}/banana")
    client.delete(
        Keys().end(f"{JOB}-1"), Keys().claim(f"{JOB}-1")
    )  # its worker was killed right after it had published
    end_by_the_operator(client, 1, Outcome.CANCELLED, "CANCELLED")
    if flag == "set":
        job_manager.assert_cancelled(JOB)
    clean_up(JOB)
    assert list(meshes.iterdir()) == []


def test_cleanup_leaves_a_copy_outside_the_output_roots(
    jobs_dir: Path, meshes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kill_before_publishing(meshes)
    configure(monkeypatch, OUTPUT_ROOTS=())
    clean_up(JOB)
    assert list(jobs_dir.iterdir()) == []
    assert (meshes / "banana").is_dir()


def test_cleanup_retries_a_copy_that_could_not_be_deleted(
    client: redis.Redis, jobs_dir: Path, meshes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_args: object, **_kwargs: object) -> None:
        raise PermissionError

    kill_before_publishing(meshes)
    delete_in_this_process(monkeypatch)
    with monkeypatch.context() as patched:
        patched.setattr(Directory, "make", refuse)
        with pytest.raises(PermissionError):
            clean_up(JOB)
    assert not observe(client).cleaned
    clean_up(JOB)
    assert list(jobs_dir.iterdir()) == list(meshes.iterdir()) == []


def test_an_unreadable_note_keeps_its_folder(jobs_dir: Path, meshes: Path) -> None:
    """Only the note names the place of a copy."""
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
