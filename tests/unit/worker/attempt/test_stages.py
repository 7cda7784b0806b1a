"""Stages of an attempt: their keys, and which of them the next attempt may use."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from reconstruction_operator.contract.outcomes import Outcome
from reconstruction_operator.contract.records import End
from reconstruction_operator.jobfiles.layout import Workspace
from reconstruction_operator.worker.attempt.stages import AttemptStages
from reconstruction_operator.worker.model.selection import Choice, choose

from tests.support.settings import configure

CRASHED = End(Outcome.FAILED, "BACKEND_CRASHED")


@pytest.fixture
def space(tmp_path: Path) -> Workspace:
    (tmp_path / "stages" / "features").mkdir(parents=True)
    return Workspace(tmp_path)


def key(space: Workspace, choice: Choice | None = None, digest: str = "sha256:1") -> str:
    folder = AttemptStages(space).folder(choice or choose("photogrammetry", {"quality": "fast"}), digest, 1)
    assert folder is not None
    return folder.key


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"digest": "sha256:2"}, id="photos"),
        pytest.param({"choice": choose("photogrammetry", {"quality": "standard"})}, id="parameter"),
        pytest.param({"choice": choose("placeholder", {})}, id="model"),
    ],
)
def test_stages_of_another_input_or_recipe_have_another_key(space: Workspace, other: dict[str, Any]) -> None:
    assert key(space) == key(space)
    assert key(space, **other) != key(space)


def test_stages_of_simulations_depend_on_their_parameters(space: Workspace) -> None:
    slow = choose("placeholder", {"stepSeconds": 2})
    assert key(space, slow, "") == key(space, slow, "") != key(space, choose("placeholder", {}), "")


def test_stages_of_another_release_of_a_package_have_another_key(
    space: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    choice = choose("photogrammetry", {"quality": "fast"})
    mine = key(space, choice)
    monkeypatch.setattr(type(choice.model), "packages", ("pycolmap",))
    assert key(space, choice) != mine


def test_no_stage_is_kept_if_the_settings_allow_none(space: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    configure(monkeypatch, STAGES_MAX_BYTES=0)
    assert AttemptStages(space).folder(choose("placeholder", {}), "", 1) is None


@pytest.mark.parametrize(
    ("end", "resumed", "another", "expected"),
    [
        pytest.param(CRASHED, True, False, False, id="crashed-after-resuming"),
        pytest.param(CRASHED, True, True, True, id="crashed-in-a-later-stage"),
        pytest.param(CRASHED, False, False, True, id="crashed-from-the-beginning"),
        pytest.param(End(Outcome.FAILED, "OUT_OF_MEMORY"), True, False, True, id="too-little-memory"),
        pytest.param(End(Outcome.STOPPED, "SUSPENDED"), True, False, True, id="suspended"),
    ],
)
def test_a_stage_that_may_have_caused_a_crash_is_not_used_again(
    space: Workspace, end: End, resumed: bool, another: bool, expected: bool
) -> None:
    stages = AttemptStages(space)
    if another:
        (space.stages / "matches").mkdir()
    assert stages.are_useful(end, resumed=resumed) is expected
