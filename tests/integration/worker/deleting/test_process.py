"""Deletion process: its results and errors, and what happens if it hangs or dies."""

from __future__ import annotations

import contextlib
import logging
import select
import signal
import subprocess
import threading
import time
from pathlib import Path

import psutil
import pytest
from celery.exceptions import SoftTimeLimitExceeded
from reconstruction_operator.contract.errors import OvertakenError
from reconstruction_operator.transfer import programs
from reconstruction_operator.transfer.errors import StorageError
from reconstruction_operator.worker.deleting import process as processes
from reconstruction_operator.worker.deleting.process import DeletionProcess
from reconstruction_operator.worker.deleting.request import DeletionRequest

from devcluster.mounts import dead_mount
from tests.support.settings import configure

LONG_SECONDS = 60.0


def copy_at(path: Path) -> DeletionRequest:
    return DeletionRequest("job", uri=f"file://{path}", attempt=1)


def start(process: DeletionProcess) -> None:
    """Start the process, so that the time limit of the next request does not include the start."""
    assert process.perform(DeletionRequest("nothing"), LONG_SECONDS) is False


def children() -> list[psutil.Process]:
    """Return the deletion processes: other children are servers of other tests, which must not be killed."""
    found = []
    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if {"reconstruction_operator.worker.deleting.program", "stuck_deletion"} & set(child.cmdline()):
                found.append(child)
    return found


def test_one_process_deletes_the_files_of_several_jobs(jobs_dir: Path) -> None:
    for job_id in ("a", "b"):
        (jobs_dir / job_id / "output").mkdir(parents=True)
    with DeletionProcess() as process:
        existed = [process.perform(DeletionRequest(job_id), LONG_SECONDS) for job_id in ("a", "missing", "b")]
        assert len(children()) == 1
    assert existed == [True, False, True]
    assert list(jobs_dir.iterdir()) == []
    assert children() == []


def test_the_reply_to_an_interrupted_request_is_discarded(jobs_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise SoftTimeLimitExceeded

    (jobs_dir / "there").mkdir()
    with DeletionProcess() as process:
        with monkeypatch.context() as patch:
            patch.setattr(select, "select", interrupt)  # a signal arrives in this call
            with pytest.raises(SoftTimeLimitExceeded):
                process.perform(DeletionRequest("missing"), LONG_SECONDS)
        assert process.perform(DeletionRequest("there"), LONG_SECONDS)


def test_a_hung_deletion_is_killed_and_leaves_no_process(
    stuck: pytest.MonkeyPatch, jobs_dir: Path, tmp_path: Path
) -> None:
    threads = threading.active_count()
    with DeletionProcess() as process:
        start(process)
        with pytest.raises(TimeoutError, match=f"at {tmp_path}/dead/banana: see whether the disk responds"):
            process.perform(copy_at(tmp_path / "dead" / "banana"), 0.5)
        assert children() == []
        stuck.undo()
        assert process.perform(DeletionRequest("job"), LONG_SECONDS) is False
    assert children() == []
    assert threading.active_count() <= threads  # threads of a server may have ended meanwhile
    assert jobs_dir.exists()


def test_only_the_mount_of_a_hung_deletion_is_skipped(
    stuck: pytest.MonkeyPatch, jobs_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(monkeypatch, OUTPUT_ROOTS=(str(tmp_path),), JOBS_DIR=str(jobs_dir))
    with DeletionProcess() as process:
        start(process)
        with pytest.raises(TimeoutError):
            process.perform(copy_at(tmp_path / "dead" / "banana"), 0.5)
        stuck.undo()
        with pytest.raises(OSError, match="is skipped for now"):
            process.perform(copy_at(tmp_path / "dead" / "apple"), LONG_SECONDS)
        assert process.perform(copy_at(tmp_path / "living" / "apple"), LONG_SECONDS)


def test_a_deletion_on_a_dead_mount_ends_with_its_process(
    jobs_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(monkeypatch, OUTPUT_ROOTS=(str(tmp_path / "meshes"),), JOBS_DIR=str(jobs_dir))
    (tmp_path / "meshes").mkdir()
    answers = []
    with dead_mount(tmp_path / "meshes" / "dead") as is_dead, DeletionProcess() as process:
        start(process)
        for seconds in (1.0, LONG_SECONDS):
            try:
                process.perform(copy_at(tmp_path / "meshes" / "dead" / "banana"), seconds)
            except OSError as error:
                answers.append(str(error).partition(" ")[0])
        assert answers == (["not", f"{tmp_path}/meshes/dead/banana"] if is_dead else [])
    assert children() == []


def test_errors_of_the_process_are_raised(
    jobs_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    configure(monkeypatch, OUTPUT_ROOTS=(str(tmp_path / "meshes"),), JOBS_DIR=str(jobs_dir))
    note = jobs_dir / "job" / "attempts" / "1-x" / "owner.json"
    note.mkdir(parents=True)
    staging = tmp_path / "meshes" / f".job.1.{'0' * 32}.partial"
    staging.mkdir(parents=True)
    superseded = DeletionRequest("job", uri=f"file://{tmp_path}/meshes/x", attempt=1, workspace=str(tmp_path / "gone"))
    with DeletionProcess() as process:
        with pytest.raises(IsADirectoryError):
            process.perform(DeletionRequest("job"), LONG_SECONDS)
        with pytest.raises(StorageError, match="OUTPUT_REFUSED"):
            process.perform(copy_at(tmp_path / "elsewhere"), LONG_SECONDS)
        with pytest.raises(OvertakenError):
            process.perform(superseded, LONG_SECONDS)
        (noted,) = (jobs_dir / "job" / "attempts").glob("*/owner.json")
        noted.rmdir()
        owner = '{"jobId": "job", "installId": "i", "namespace": "n", "name": "n", "queue": "q", "attempt": 1'
        noted.write_text(f'{owner}, "outputUri": "file:///elsewhere"}}')
        with caplog.at_level(logging.WARNING):
            assert process.perform(DeletionRequest("job"), LONG_SECONDS)
    assert "not permitted to delete the delivered copy of job job" in caplog.text


def test_the_process_gets_no_settings_and_ends_with_its_worker(jobs_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CELERY_BROKER_URL", "redis://:secret@localhost:6379/0")
    with DeletionProcess() as process:
        process.perform(DeletionRequest("job"), LONG_SECONDS)
        (child,) = children()
        assert "secret" not in str(child.environ())
        assert process._program is not None
        process._program.requests.close()  # as the kernel does when the worker is killed
        assert process._program.process.wait(LONG_SECONDS) == 0
    assert jobs_dir.exists()


def test_a_process_that_dies_is_an_error_and_is_replaced(jobs_dir: Path) -> None:
    with DeletionProcess() as process:
        process.perform(DeletionRequest("job"), LONG_SECONDS)
        children()[0].kill()
        with pytest.raises(OSError, match="the process that deletes files has ended"):
            process.perform(DeletionRequest("job"), LONG_SECONDS)
        assert process.perform(DeletionRequest("job"), LONG_SECONDS) is False
    assert jobs_dir.exists()


def test_a_process_that_cannot_be_killed_is_left_behind_and_logged(
    stuck: pytest.MonkeyPatch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Such as a process in an uninterruptible call. Its mount is skipped until the process has ended."""
    monkeypatch.setattr(programs, "_KILL_SECONDS", 0.05)
    unkillable: list[subprocess.Popen[bytes]] = []

    def spare(killed: subprocess.Popen[bytes]) -> None:
        unkillable.append(killed)

    monkeypatch.setattr(subprocess.Popen, "kill", spare)
    with DeletionProcess() as process:
        start(process)
        with pytest.raises(TimeoutError):
            process.perform(copy_at(tmp_path / "dead" / "banana"), 0.5)
    (left,) = unkillable
    assert f"process {left.pid} was killed but does not end" in caplog.text
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + 1e6)
    known = processes.hung_mounts.known()
    left.send_signal(signal.SIGKILL)
    left.wait(LONG_SECONDS)
    assert (known, processes.hung_mounts.known()) == ((str(tmp_path / "dead"),), ())
    stuck.undo()
