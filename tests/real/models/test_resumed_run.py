"""The same photos make the same result, to the bit: in any number of threads, and from the stages of a killed run."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from reconstruction_operator.models.interface import StageElsewhere, StageFolder
from reconstruction_operator.models.photogrammetry import kept
from reconstruction_operator.models.photogrammetry.parameters import STAGE_NAMES

from tests.support.paths import DATA

if TYPE_CHECKING:
    from tests.real.models.conftest import Run

pytestmark = [pytest.mark.release, pytest.mark.timeout(900)]

PHOTOS = sorted((DATA / "photos" / "berlin").glob("*.jpg"))
SMALL = {"maxImageSize": 1000, "textureSize": 256, "faces": 5_000}


def stages_in(folder: Path) -> list[str]:
    return sorted(path.name.partition("~")[0] for path in folder.iterdir() if not path.name.startswith("."))


def made_again(run: Run) -> list[str]:
    """The run's reports about prepared photos, features and matches."""
    return [text for _, _, text in run.reports if text.startswith(("photo", "features", "matched"))]


def digests(run: Run) -> dict[str, str]:
    """Of the files of which every byte follows from photos and parameters; a report has seconds."""
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(run.output.iterdir())
        if path.is_file() and path.suffix in {".glb", ".ply", ".json", ".png"}
    }


def test_a_run_resumed_after_a_kill_makes_the_same_mesh(engine: Callable[..., Run], tmp_path: Path) -> None:
    kept = StageFolder(tmp_path / "stages", "key", attempt=1)

    def hear(message: str) -> None:
        """Copy what a kill at the first camera and at the first depth map would leave on the disk."""
        for start in ("camera", "depth map"):
            left = tmp_path / start
            if message.startswith(start) and not left.exists():
                shutil.copytree(kept.path, left)

    whole = engine(PHOTOS, tmp_path / "whole", stages=kept, hear=hear, **SMALL)
    assert len(made_again(whole)) > 3
    assert stages_in(tmp_path / "camera") == ["matches", "photos"]
    assert stages_in(tmp_path / "depth map") == ["matches", "photos", "selection", "sparse-model", "views"]
    assert stages_in(kept.path) == [
        *("matches", "photos", "selection", "sparse-model", "surface", "surface-points", "views"),
    ]

    late = engine(PHOTOS, tmp_path / "late", stages=replace(kept, path=tmp_path / "depth map", attempt=2), **SMALL)
    assert late.resumed_from == "views of attempt 1"
    assert late.reports[0][2] == "continues after views of attempt 1"
    assert made_again(late) == []
    assert late.quality == whole.quality
    assert sorted(path.name for path in late.output.iterdir()) == sorted(path.name for path in whole.output.iterdir())

    large = engine(PHOTOS, tmp_path / "large", stages=replace(kept, job_id="2"), **SMALL | {"textureSize": 512})
    assert large.resumed_from == "surface of an earlier run"
    assert large.quality == whole.quality | {"textureCoverage": large.quality["textureCoverage"]}

    early = engine(PHOTOS, tmp_path / "early", stages=replace(kept, path=tmp_path / "camera", attempt=2), **SMALL)
    assert early.resumed_from == "matches of attempt 1"
    assert made_again(early) == []
    assert early.quality == whole.quality
    for run in (late, early):
        assert digests(run) == digests(whole)


def test_a_run_that_passes_from_worker_to_worker_makes_the_same_mesh(
    engine: Callable[..., Run], tmp_path: Path
) -> None:
    whole = engine(PHOTOS, tmp_path / "whole", **SMALL)
    kept = StageFolder(tmp_path / "stages", "key", attempt=1)

    *earlier, last = STAGE_NAMES
    for at, stage in enumerate(earlier):
        others = {name: "other" for name in STAGE_NAMES if name != stage}
        with pytest.raises(StageElsewhere) as left:
            engine(PHOTOS, tmp_path / stage, stages=replace(kept, elsewhere=others), **SMALL)
        assert left.value.stage == STAGE_NAMES[at + 1]
    end = engine(PHOTOS, tmp_path / last, stages=kept, **SMALL)

    assert end.resumed_from == "surface of attempt 1"
    assert digests(end) == digests(whole)


@pytest.mark.parametrize("threads", [1, 4])
def test_runs_in_other_numbers_of_threads_make_the_same_mesh(
    engine: Callable[..., Run], tmp_path: Path, threads: int
) -> None:
    two = engine(PHOTOS, tmp_path / "two", threads=2, **SMALL)
    other = engine(PHOTOS, tmp_path / "other", threads=threads, **SMALL)
    assert two.result is not None
    assert other.result is not None
    assert other.result.stages == two.result.stages
    assert list(two.result.stages) == list(kept.NAMES)
    assert digests(other) == digests(two)
