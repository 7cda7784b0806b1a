"""Dividing: which stages are made in parts of how many items, and the progress of a run that makes some of them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from reconstruction_operator.models import parts
from reconstruction_operator.models.interface import Photo
from reconstruction_operator.models.photogrammetry.parameters import PartSizes, QualitySettings
from reconstruction_operator.models.photogrammetry.progress import StageProgress
from reconstruction_operator.models.photogrammetry.timing import costs
from reconstruction_operator.models.photogrammetry.timing.costs import Stage
from reconstruction_operator.models.stages import Stages

WHOLE = sys.maxsize
"""The size of a part that has all items of a stage."""

_SIZES = {  # the fields of `PartSizes`, by what takes the time
    "photos": Stage.PHOTOS,
    "features": Stage.FEATURES,
    "pairs": Stage.MATCHES,
    "views": Stage.VIEWS,
    "depths": Stage.DEPTHS,
    "fusion": Stage.FUSION,
}

Make = Callable[[Path, range, StageProgress], None]
"""Fills the folder of a part with what the stage has of these items, by their numbers."""


def worthwhile(sizes: PartSizes, photos: Sequence[Photo], settings: QualitySettings) -> PartSizes:
    """Return `sizes` with WHOLE for each stage that takes too little to be divided.

    It follows from photos and settings alone, so a run and its helpers decide alike.
    """
    expected = costs.expected_seconds(photos, settings, threads=1)
    return replace(sizes, **{name: WHOLE for name, of in _SIZES.items() if expected[of] < sizes.least_seconds})


def made(
    stages: Stages, stage: str, items: Sequence[str], size: int, *, make: Make, progress: StageProgress
) -> list[Path]:
    """Return the folders of the parts of that stage, each of at most `size` of its `items`, in their order; empty
    without helpers, and for few items: then this run is to make the stage as a whole.

    Raises HelpOver as `parts.made`.
    """
    ranges = parts.divided(len(items), size)
    count = len(ranges)

    def one(folder: Path, number: int, before: int) -> None:
        at = progress.part(before / count, (before + 1) / count)
        make(folder, ranges[number], at.named(f" of part {number + 1}/{count}"))

    def wait(made: int) -> None:
        progress(made / count, f"{made} of {count} parts made")

    return parts.made(stages, stage, [list(items[at.start : at.stop]) for at in ranges], one, waiting=wait)


def fill(
    stages: Stages,
    stage: str,
    folder: Path,
    items: Sequence[str],
    size: int,
    *,
    make: Make,
    progress: StageProgress,
) -> None:
    """Fill the folder of that stage, in parts or as a whole: `make` writes a file or more of each item.

    Raises HelpOver as `made`.
    """
    folders = made(stages, stage, items, size, make=make, progress=progress)
    if folders:
        parts.gather(folders, folder)
    else:
        make(folder, range(len(items)), progress)
