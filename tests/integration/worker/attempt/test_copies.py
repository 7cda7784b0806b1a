"""Copies at the output location: runs deliver them, and delete the copy of a result that does not count."""

from __future__ import annotations

import errno
import json
import threading
from pathlib import Path
from typing import Any

import pytest
import redis
from reconstruction_operator import disk
from reconstruction_operator.contract.attempt import SupersededError
from reconstruction_operator.contract.outcomes import Outcome, StopReason
from reconstruction_operator.jobfiles import publishing
from reconstruction_operator.services import job_manager
from reconstruction_operator.state import worker_calls
from reconstruction_operator.transfer.folders.delivery import FolderTarget
from reconstruction_operator.worker.attempt.failures import ReconstructionFailedError
from reconstruction_operator.worker.attempt.run import AttemptRun

from tests.support.settings import configure
from tests.support.worker.attempts import JOB, at_step, end, run, stop, want

pytestmark = pytest.mark.usefixtures("wanted")


def test_a_copy_is_delivered_to_the_output_location(client: redis.Redis, jobs_dir: Path, meshes: Path) -> None:
    run(output_uri=f"file://{meshes}/banana")
    reported = end(client).outputs
    assert reported is not None
    assert reported.uri == f"file://{meshes}/banana"
    here, there = (
        {path.name: path.read_bytes() for path in folder.iterdir()}
        for folder in (jobs_dir / JOB / "output", meshes / "banana")
    )
    assert here == there
    assert [path.name for path in meshes.iterdir()] == ["banana"]


def test_an_occupied_output_location_fails_the_job_before_the_work(
    jobs_dir: Path, meshes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This happens if a manifest is deleted and applied again: the copy of the first job stays."""
    worked: list[AttemptRun] = []
    monkeypatch.setattr(AttemptRun, "_reconstruct", lambda self, *_: worked.append(self))
    occupy(meshes)
    with pytest.raises(
        ReconstructionFailedError, match=r"OUTPUT_REFUSED.*is not empty, and holds no result of this job"
    ):
        run(output_uri=f"file://{meshes}/banana")
    assert (worked, list(jobs_dir.iterdir())) == ([], [])


def test_a_result_whose_copy_is_refused_is_published_and_reported(
    client: redis.Redis, jobs_dir: Path, meshes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_step(5, lambda: occupy(meshes), monkeypatch)
    with pytest.raises(ReconstructionFailedError, match=f"the result is in file://{jobs_dir}/{JOB}/output"):
        run(output_uri=f"file://{meshes}/banana")
    recorded = end(client)
    assert (recorded.outcome, recorded.reason, recorded.simulated) == (Outcome.FAILED, "OUTPUT_REFUSED", True)
    assert recorded.outputs is not None
    assert recorded.outputs.uri == f"file://{jobs_dir}/{JOB}/output"
    assert (jobs_dir / JOB / "output" / "model.glb").stat().st_size == recorded.outputs.files[0].bytes
    assert [path.name for path in meshes.rglob("*")] == ["banana", "thesis.txt"]


def test_a_refused_copy_is_reported_with_the_result_of_an_earlier_attempt(
    client: redis.Redis, jobs_dir: Path, meshes: Path
) -> None:
    run(output_uri=f"file://{meshes}/banana")
    disk.delete_tree(meshes / "banana")
    occupy(meshes)
    want(client, 2)
    with pytest.raises(ReconstructionFailedError, match=f"the result is in file://{jobs_dir}/{JOB}/output"):
        run(2, output_uri=f"file://{meshes}/banana")


def test_the_attempt_after_a_failed_copy_copies_the_result_without_work(
    client: redis.Redis, meshes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: object, **_kwargs: object) -> None:
        raise OSError(errno.ENOSPC, "no space left")

    with monkeypatch.context() as patched:
        patched.setattr(FolderTarget, "deliver", fail)
        with pytest.raises(ReconstructionFailedError, match=r"DISK_FULL.*the result is in"):
            run(output_uri=f"file://{meshes}/banana")
    assert list(meshes.iterdir()) == []

    want(client, 2)
    assert run(2, output_uri=f"file://{meshes}/banana")["status"] == "completed"
    assert json.loads((meshes / "banana" / "manifest.json").read_text())["attempt"]["number"] == 1


def test_a_copy_of_a_later_attempt_stays_until_that_attempt_runs_again(
    client: redis.Redis, jobs_dir: Path, meshes: Path
) -> None:
    """This happens after etcd and Redis were restored: attempts are counted from one again."""
    want(client, 2)
    run(2, output_uri=f"file://{meshes}/banana")
    disk.delete_tree(jobs_dir / JOB)
    client.flushall()
    want(client, 1)
    with pytest.raises(ReconstructionFailedError, match=f"the result is in file://{jobs_dir}/{JOB}/output"):
        run(1, output_uri=f"file://{meshes}/banana")
    want(client, 2)
    assert run(2, output_uri=f"file://{meshes}/banana")["status"] == "completed"


@pytest.mark.parametrize(
    ("reason", "is_kept"),
    [(StopReason.SUSPEND, True), (StopReason.DEADLINE, True), (StopReason.DELETED, False)],
    ids=str,
)
def test_a_result_is_published_if_its_run_is_stopped_during_the_copy(
    reason: StopReason,
    is_kept: bool,
    *,
    client: redis.Redis,
    jobs_dir: Path,
    meshes: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    configure(monkeypatch, BEAT_SECONDS=0.02)

    def hang(*_args: object, **_kwargs: object) -> None:
        stop(client, 1, reason)
        threading.Event().wait(5.0)  # longer than the run needs to notice the stop

    monkeypatch.setattr(FolderTarget, "deliver", hang)
    run(output_uri=f"file://{meshes}/banana")

    recorded = end(client)
    assert (publishing.read_sealed(JOB) is not None) is is_kept
    assert (recorded.outputs is not None) is (reason is StopReason.DEADLINE)


def occupy(meshes: Path) -> None:
    """Put a foreign file into the place of the copy."""
    (meshes / "banana").mkdir()
    (meshes / "banana" / "thesis.txt").write_text("years of work")


def test_the_copy_is_deleted_before_cancelled_is_recorded(meshes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bool] = []
    finish = worker_calls.finish

    def check_and_finish(*args: Any, **kwargs: Any) -> Any:
        if kwargs["end"].outcome is Outcome.CANCELLED:
            seen.append((meshes / "banana").exists())
        else:
            job_manager.assert_cancelled(JOB)
        return finish(*args, **kwargs)

    monkeypatch.setattr(worker_calls, "finish", check_and_finish)
    assert run(output_uri=f"file://{meshes}/banana")["status"] == "cancelled"
    assert seen == [False]


def test_a_copy_deleted_by_another_program_fails_the_job(
    client: redis.Redis, meshes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No other run has taken over, so this run has to report the failure."""

    def find_it_deleted(*_args: object, **_kwargs: object) -> None:
        raise SupersededError

    monkeypatch.setattr(FolderTarget, "deliver", find_it_deleted)
    with pytest.raises(ReconstructionFailedError, match="another program deletes files there"):
        run(output_uri=f"file://{meshes}/banana")
    assert (end(client).outcome, end(client).reason) == (Outcome.FAILED, "WORKER_ERROR")
