"""Runs: their checks before the work, their workspaces and outputs."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import redis
from celery.exceptions import Ignore
from reconstruction_operator import disk
from reconstruction_operator.contract.outcomes import Outcome
from reconstruction_operator.jobfiles import workspace
from reconstruction_operator.services import job_manager
from reconstruction_operator.transfer.folders.delivery import FolderTarget
from reconstruction_operator.worker.attempt.failures import ReconstructionFailedError
from reconstruction_operator.worker.attempt.ownership import Ownership

from tests.support.settings import configure
from tests.support.worker.attempts import JOB, end, run, want

pytestmark = pytest.mark.usefixtures("wanted")


def test_parameters_are_checked_before_the_input_is_read() -> None:
    with pytest.raises(ReconstructionFailedError, match=r"INVALID_PARAMETERS: .*stepSeconds"):
        run(parameters={"stepSeconds": "fast"})


@pytest.mark.parametrize(("seconds", "limit", "fails"), [(0.2, 1.0, True), (0.0, 1.0, False), (0.0, 0.0, False)])
def test_a_placeholder_that_takes_too_long_is_refused(
    seconds: float, limit: float, fails: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(monkeypatch, PLACEHOLDER_MAX_SECONDS=limit)
    if not fails:
        assert run(parameters={"stepSeconds": seconds})["status"] == "completed"
        return
    with pytest.raises(
        ReconstructionFailedError,
        match=r"INVALID_PARAMETERS: .*stepSeconds is 0\.2, for each of 6 steps; together .* 1 s",
    ):
        run(parameters={"stepSeconds": seconds})


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


def test_an_attempt_deletes_the_workspaces_of_earlier_ones(client: redis.Redis, jobs_dir: Path) -> None:
    for name in ("1", "1-01234567", "2-01234567", ".gone-1"):
        (jobs_dir / JOB / "attempts" / name / "output").mkdir(parents=True)
    want(client, 2)
    assert run(2)["status"] == "completed"
    assert sorted(path.name for path in (jobs_dir / JOB).iterdir()) == ["output"]


def test_an_attempt_reports_an_existing_sealed_output(client: redis.Redis, jobs_dir: Path) -> None:
    run(1)
    output = jobs_dir / JOB / "output"
    before = (output / "manifest.json").read_bytes()
    want(client, 2)
    assert run(2, model="photogrammetry", input_uri="file:///nowhere")["status"] == "completed"
    assert (output / "manifest.json").read_bytes() == before
    assert end(client, 2).outcome is Outcome.SUCCEEDED


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda output: (output / "manifest.json").unlink(), id="without a manifest"),
        pytest.param(lambda output: (output / "manifest.json").write_text("{"), id="with half a manifest"),
        pytest.param(lambda output: (output / "model.glb").write_bytes(b""), id="with a file cut off"),
        pytest.param(lambda output: (output / "preview_1.png").unlink(), id="with a file missing"),
    ],
)
def test_an_unsealed_output_is_replaced(spoil: Callable[[Path], object], client: redis.Redis, jobs_dir: Path) -> None:
    run(1)
    output = jobs_dir / JOB / "output"
    spoil(output)
    want(client, 2)
    assert run(2)["status"] == "completed"
    manifest = json.loads((output / "manifest.json").read_text())
    assert manifest["attempt"] == 2
    assert all((output / one["name"]).stat().st_size == one["bytes"] for one in manifest["files"])


def test_a_run_paused_before_its_workspace_keeps_its_successors(
    client: redis.Redis, jobs_dir: Path, meshes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both are runs of one attempt: Redis has lost the claim of the first run."""
    begun: list[Path] = []

    def pause(*_args: object, **_kwargs: object) -> None:
        client.flushall()
        want(client, 1)
        Ownership(JOB, f"{JOB}-1", 1, "other", "w").claim()
        begun.append(workspace.prepare(JOB, f"{JOB}-1", 1).root)

    monkeypatch.setattr(FolderTarget, "check", pause)
    with pytest.raises(Ignore):
        run(output_uri=f"file://{meshes}/banana")
    assert list((jobs_dir / JOB / "attempts").iterdir()) == begun


@pytest.mark.usefixtures("deletes_here")
def test_a_cancel_does_not_wait_for_a_dead_mount(jobs_dir: Path, meshes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    configure(monkeypatch, BEAT_SECONDS=0.02)
    back, done = threading.Event(), threading.Event()
    prepare = workspace.prepare

    def wait(*args: Any) -> workspace.Workspace:
        job_manager.assert_cancelled(JOB)
        back.wait()
        return prepare(*args)

    def discard(space: workspace.Workspace) -> None:
        discarding(space)
        done.set()

    discarding = workspace.Workspace.discard
    monkeypatch.setattr(workspace, "prepare", wait)
    monkeypatch.setattr(workspace.Workspace, "discard", discard)
    assert run(output_uri=f"file://{meshes}/banana")["status"] == "cancelled"
    back.set()
    assert done.wait(60)
    assert list(jobs_dir.iterdir()) == []


def test_a_run_that_fails_to_take_over_leaves_no_workspace(jobs_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = workspace.prepare(JOB, f"{JOB}-1", 1).root

    def refuse(*_args: object) -> None:
        raise PermissionError

    monkeypatch.setattr(disk, "set_aside", refuse)
    with pytest.raises(ReconstructionFailedError, match="WORKER_ERROR"):
        run()
    assert list((jobs_dir / JOB / "attempts").iterdir()) == [before]
