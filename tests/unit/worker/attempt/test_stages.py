"""Which stages a run goes on from, and which the next one gets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from reconstruction_operator.contract.outcomes import Outcome
from reconstruction_operator.contract.records import End
from reconstruction_operator.jobfiles.layout import Workspace
from reconstruction_operator.models.interface import Photo
from reconstruction_operator.worker.attempt.stages import AttemptStages
from reconstruction_operator.worker.model.selection import Choice, choose

from tests.support.settings import configure

CRASHED = End(Outcome.FAILED, "BACKEND_CRASHED")


@pytest.fixture
def space(tmp_path: Path) -> Workspace:
    (tmp_path / "stages" / "features").mkdir(parents=True)
    return Workspace(tmp_path)


def photo(folder: Path, name: str = "a.jpg", content: bytes = b"photo") -> Photo:
    path = folder / name
    path.write_bytes(content)
    return Photo(path, 64, 48, len(content))


def key(space: Workspace, choice: Choice | None = None, photos: tuple[Photo, ...] = ()) -> str:
    chosen = choice or choose("photogrammetry", {"quality": "fast"})
    folder = AttemptStages(space).folder(chosen, photos or (photo(space.root),), 1, lambda: None)
    assert folder is not None
    return folder.key


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(lambda folder: {"photos": (photo(folder, content=b"other"),)}, id="content"),
        pytest.param(lambda folder: {"photos": (photo(folder, name="b.jpg"),)}, id="name"),
        pytest.param(lambda folder: {"photos": (photo(folder), photo(folder, "b.jpg"))}, id="photo-more"),
        pytest.param(lambda _: {"choice": choose("photogrammetry", {"quality": "standard"})}, id="parameter"),
        pytest.param(lambda _: {"choice": choose("placeholder", {})}, id="model"),
    ],
)
def test_stages_of_another_input_or_recipe_have_another_key(space: Workspace, other: Callable[[Path], Any]) -> None:
    mine = key(space)
    assert key(space) == mine
    assert key(space, **other(space.root)) != mine


def test_stages_of_another_release_of_a_package_have_another_key(
    space: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    choice = choose("photogrammetry", {"quality": "fast"})
    mine = key(space, choice)
    monkeypatch.setattr(type(choice.model), "packages", ("pycolmap",))
    assert key(space, choice) != mine


def test_no_stage_is_kept_if_the_settings_allow_none(space: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    configure(monkeypatch, STAGES_MAX_BYTES=0)
    assert AttemptStages(space).folder(choose("placeholder", {}), (), 1, lambda: None) is None


def test_reading_photos_for_the_key_can_be_interrupted(space: Workspace) -> None:
    def interrupt() -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        AttemptStages(space).folder(choose("placeholder", {}), (photo(space.root),), 1, interrupt)


@pytest.mark.parametrize(
    ("end", "resumed", "another", "expected"),
    [
        pytest.param(CRASHED, True, False, False, id="crashed-after-going-on"),
        pytest.param(CRASHED, True, True, True, id="crashed-later-than-the-one-before"),
        pytest.param(CRASHED, False, False, True, id="crashed-from-the-beginning"),
        pytest.param(End(Outcome.FAILED, "OUT_OF_MEMORY"), True, False, True, id="too-little-memory"),
        pytest.param(End(Outcome.STOPPED, "SUSPENDED"), True, False, True, id="suspended"),
    ],
)
def test_a_stage_that_may_have_made_a_model_crash_is_not_used_again(
    space: Workspace, end: End, resumed: bool, another: bool, expected: bool
) -> None:
    stages = AttemptStages(space)
    if another:
        (space.stages / "matches").mkdir()
    assert stages.are_of_use(end, resumed=resumed) is expected
