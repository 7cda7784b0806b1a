"""Runs: their checks before the work, their workspaces and outputs."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
import redis
from reconstruction_operator.contract.envelope import Envelope
from reconstruction_operator.contract.outcomes import Outcome
from reconstruction_operator.jobfiles import workspace
from reconstruction_operator.jobfiles.kept_stages import RunStages
from reconstruction_operator.jobfiles.layout import Workspace
from reconstruction_operator.services import job_manager
from reconstruction_operator.worker.attempt.assignment import Assignment
from reconstruction_operator.worker.attempt.failures import ReconstructionFailedError
from reconstruction_operator.worker.attempt.loading import Loaded
from reconstruction_operator.worker.attempt.run import stage_folder
from reconstruction_operator.worker.model.selection import choose

from tests.support.settings import configure
from tests.support.worker.attempts import JOB, end, run

pytestmark = pytest.mark.usefixtures("wanted")


@pytest.mark.parametrize(
    ("entries", "refused"),
    [
        pytest.param((), False, id="without-entries"),
        pytest.param((("gpu", "maps"),), False, id="its-namespace"),
        pytest.param((("gpu", "scans"), ("gpu", "*")), False, id="every-namespace"),
        pytest.param((("cpu", "scans"),), False, id="another-pool"),
        pytest.param((("gpu", "scans"),), True, id="another-namespace"),
        pytest.param((("*", "scans"),), True, id="another-namespace-for-all-other-pools"),
    ],
)
def test_a_message_of_a_foreign_namespace_ends_with_a_reason(
    entries: tuple[tuple[str, str], ...], refused: bool, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(monkeypatch, POOL_NAMESPACES=entries)
    if not refused:
        assert run(namespace="maps", queue="gpu")["status"] == "completed"
        return
    with pytest.raises(ReconstructionFailedError, match="QUEUE_REFUSED: Namespace maps may not use queue gpu"):
        run(namespace="maps", queue="gpu")
    assert (end(client).outcome, end(client).reason) == (Outcome.FAILED, "QUEUE_REFUSED")


@pytest.mark.parametrize("most_bytes", [0, 1000])
def test_a_model_has_a_folder_of_stages_unless_the_settings_allow_none(
    tmp_path: Path, most_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(monkeypatch, STAGES_MAX_BYTES=most_bytes)
    assignment = Assignment(Envelope.bare(JOB, "task"), "placeholder", "worker")
    stages = RunStages(Workspace(tmp_path), assignment.attempt)
    choice = choose("placeholder", {})
    folder = stage_folder(stages, assignment, choice, Loaded((), ""))
    assert (folder.max_bytes if folder else 0) == most_bytes


@pytest.mark.usefixtures("deletes_here")
def test_a_cancel_does_not_wait_for_a_dead_mount(jobs_dir: Path, meshes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    configure(monkeypatch, BEAT_SECONDS=0.02)
    back = threading.Event()
    done = threading.Event()
    prepare = workspace.prepare

    def wait(*args: Any) -> Workspace:
        job_manager.assert_cancelled(JOB)
        back.wait()
        return prepare(*args)

    def discard(space: Workspace) -> None:
        discarding(space)
        done.set()

    discarding = Workspace.discard
    monkeypatch.setattr(workspace, "prepare", wait)
    monkeypatch.setattr(Workspace, "discard", discard)
    assert run(output_uri=f"file://{meshes}/banana")["status"] == "cancelled"
    back.set()
    assert done.wait(60)
    assert list(jobs_dir.iterdir()) == []
