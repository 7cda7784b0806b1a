"""Dividing: which stages are divided, and what a run reports of its parts."""

from __future__ import annotations

from pathlib import Path

import pytest
from reconstruction_operator.models.interface import PartTurn, Photo, StageFolder, Step
from reconstruction_operator.models.photogrammetry import dividing
from reconstruction_operator.models.photogrammetry.dividing import WHOLE
from reconstruction_operator.models.photogrammetry.parameters import QUALITIES, PartSizes
from reconstruction_operator.models.photogrammetry.progress import StageProgress
from reconstruction_operator.models.stages import Stages


@pytest.mark.parametrize(
    ("photos", "least_seconds", "expected"),
    [
        pytest.param(3, 12.0, PartSizes(*[WHOLE] * 6), id="few-photos"),
        pytest.param(3, 0.0, PartSizes(least_seconds=0.0), id="for-any-gain"),
        pytest.param(60, 12.0, PartSizes(photos=WHOLE), id="photos-are-not-worth-a-helper"),
        pytest.param(200, 12.0, PartSizes(), id="many-photos"),
    ],
)
def test_stages_of_little_work_are_not_divided(photos: int, least_seconds: float, expected: PartSizes) -> None:
    given = [Photo(Path("a.jpg"), 1600, 1200, 1)] * photos
    assert dividing.worthwhile(PartSizes(least_seconds=least_seconds), given, QUALITIES["fast"]) == expected


def test_progress_is_of_all_parts_that_anyone_has_made(tmp_path: Path) -> None:
    turns = [PartTurn(0), PartTurn(None, 2), PartTurn(3, 3), PartTurn(None, 4, over=True)]
    stages = Stages(StageFolder(tmp_path / "stages", "key"), parts=lambda *_: turns.pop(0))
    heard: list[tuple[float, str]] = []

    def make(into: Path, wanted: range, progress: StageProgress) -> None:
        (into / f"{wanted.start}").touch()
        progress(0.5, f"photo {wanted.start}")

    progress = StageProgress(lambda _, fraction, text: heard.append((fraction, text)), Step.PREPROCESS)
    names = [f"{number}.jpg" for number in range(8)]
    dividing.fill(stages, "photos", tmp_path, names, 2, make=make, progress=progress)

    assert heard[:3] == [(0.125, "photo 0 of part 1/4"), (0.5, "2 of 4 parts made"), (0.875, "photo 6 of part 4/4")]
    assert {path.name for path in tmp_path.iterdir()} >= {"0", "2", "4", "6"}
