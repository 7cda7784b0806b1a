"""Stages of an attempt: their keys, and which of them the next attempt or another job may use."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from reconstruction_operator.contract.envelope import Envelope
from reconstruction_operator.contract.outcomes import Outcome
from reconstruction_operator.contract.records import End
from reconstruction_operator.jobfiles import kept_stages, layout
from reconstruction_operator.jobfiles.layout import Workspace
from reconstruction_operator.worker.attempt.assignment import Assignment
from reconstruction_operator.worker.attempt.stages import AttemptStages, of_namespace
from reconstruction_operator.worker.model.selection import Choice, choose

from tests.support.settings import configure

CRASHED = End(Outcome.FAILED, "BACKEND_CRASHED")


@pytest.fixture
def space(tmp_path: Path) -> Workspace:
    (tmp_path / "stages" / "features").mkdir(parents=True)
    return Workspace(tmp_path)


def stages(space: Workspace, namespace: str = "red", attempt: int = 1, uid: str = "ns-1") -> AttemptStages:
    envelope = Envelope(attempt=attempt, namespace=namespace, namespace_uid=uid, name="banana")
    return AttemptStages(space, Assignment("uid-1", "uid-1-1", "photogrammetry", envelope, "worker"))


def digest_of(
    space: Workspace, choice: Choice | None = None, digest: str = "sha256:1", namespace: str = "red", uid: str = "ns-1"
) -> str:
    folder = stages(space).folder(choice or choose("photogrammetry", {"quality": "fast"}), digest)
    assert folder is not None
    return of_namespace(folder.key, "", namespace, uid)


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"digest": "sha256:2"}, id="photos"),
        pytest.param({"namespace": "blue"}, id="namespace"),
        pytest.param({"uid": "ns-2"}, id="a-later-namespace-of-that-name"),
        pytest.param({"choice": choose("placeholder", {})}, id="model"),
    ],
)
def test_stages_of_another_input_model_or_namespace_are_not_found(space: Workspace, other: dict[str, Any]) -> None:
    assert digest_of(space) == digest_of(space)
    assert digest_of(space, **other) != digest_of(space)


def test_stages_are_kept_for_a_later_namespace_where_names_decide(
    space: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(monkeypatch, NAMESPACE_IDENTITY="name")
    assert digest_of(space, uid="ns-2") == digest_of(space, uid="")


def test_stages_serve_jobs_with_other_parameters(space: Workspace) -> None:
    assert digest_of(space, choose("photogrammetry", {"quality": "standard"})) == digest_of(space)


def test_stages_of_another_release_of_a_package_are_not_found(
    space: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    choice = choose("photogrammetry", {"quality": "fast"})
    mine = digest_of(space, choice)
    monkeypatch.setattr(type(choice.model), "packages", ("pycolmap",))
    assert digest_of(space, choice) != mine


def test_no_stage_is_kept_if_the_settings_allow_none(space: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    configure(monkeypatch, STAGES_MAX_BYTES=0)
    assert stages(space).folder(choose("placeholder", {}), "") is None


@pytest.mark.parametrize(
    ("end", "begun_with", "another", "expected"),
    [
        pytest.param(CRASHED, ["features"], False, False, id="crashed-after-resuming"),
        pytest.param(CRASHED, ["features"], True, True, id="crashed-in-a-later-stage"),
        pytest.param(CRASHED, [], True, True, id="crashed-from-the-beginning"),
        pytest.param(End(Outcome.FAILED, "OUT_OF_MEMORY"), ["features"], False, True, id="too-little-memory"),
        pytest.param(End(Outcome.STOPPED, "SUSPENDED"), ["features"], False, True, id="suspended"),
    ],
)
def test_a_stage_that_may_have_caused_a_crash_is_not_used_again(
    space: Workspace, end: End, begun_with: list[str], another: bool, expected: bool
) -> None:
    if not begun_with:
        (space.stages / "features").rmdir()
    attempt = stages(space)
    if another:
        (space.stages / "matches").mkdir()
    assert attempt.are_useful(end) is expected


@pytest.fixture
def kept(jobs_dir: Path, tmp_path: Path) -> Path:
    """The stages of a job with the same photos, kept for others."""
    stage = tmp_path / "other" / "matches"
    stage.mkdir(parents=True)
    kept_stages.keep(layout.kept_stages(), stage.parent, digest_of(Workspace(tmp_path)), "uid-0")
    return jobs_dir / ".stages"


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.mark.parametrize(("attempt", "expected"), [(1, {"features", "matches"}), (2, {"features"})])
def test_only_the_first_attempt_uses_a_stage_of_another_job_which_may_cause_a_crash(
    space: Workspace, kept: Path, attempt: int, expected: set[str]
) -> None:
    run = stages(space, attempt=attempt)
    run.folder(choose("photogrammetry", {"quality": "fast"}), "sha256:1")
    assert names(space.stages) == expected
    assert not run.are_useful(CRASHED)
    assert len(names(kept)) == 1


@pytest.mark.parametrize(("deleted", "jobs"), [(False, {"uid-0", "uid-1"}), (True, {"uid-0"})])
def test_a_deleted_job_keeps_no_stages(
    space: Workspace, kept: Path, jobs_dir: Path, deleted: bool, jobs: set[str]
) -> None:
    run = stages(space)
    run.folder(choose("photogrammetry", {"quality": "fast"}), "sha256:1")
    if not deleted:
        (jobs_dir / "uid-1" / "output").mkdir(parents=True)
    run.keep()
    assert {entry.job_id for entry in kept_stages.entries(kept)} == jobs


def test_a_job_whose_namespace_is_not_known_keeps_no_stages_and_uses_none(space: Workspace, jobs_dir: Path) -> None:
    (jobs_dir / "uid-1" / "output").mkdir(parents=True)
    run = stages(space, uid="")
    run.folder(choose("photogrammetry", {"quality": "fast"}), "sha256:1")
    run.keep()
    assert not (jobs_dir / ".stages").exists()


@pytest.mark.parametrize("seconds", [0, 60])
def test_stages_are_kept_for_the_time_of_the_settings(
    space: Workspace, jobs_dir: Path, monkeypatch: pytest.MonkeyPatch, seconds: int
) -> None:
    configure(monkeypatch, KEEP_STAGES_SECONDS=seconds)
    (jobs_dir / "uid-1" / "output").mkdir(parents=True)
    run, before = stages(space), time.time()
    run.folder(choose("photogrammetry", {"quality": "fast"}), "sha256:1")
    run.keep()
    untils = [entry.until for entry in kept_stages.entries(jobs_dir / ".stages")]
    assert untils == ([pytest.approx(before + 60, abs=5)] if seconds else [])
