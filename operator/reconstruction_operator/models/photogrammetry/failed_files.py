"""Files of a failed run: what it keeps for inspection (`interface.FAILED_FOLDER`).

photos/   the prepared photos
sparse/   each model of cameras and points that was found, in COLMAP's format
surface/  the points of the surface, if the run got that far
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from reconstruction_operator.models.interface import FAILED_FOLDER, ModelFailure, Work

logger = logging.getLogger(__name__)

_SCRATCH = {"sparse": "*.bin", "surface": "*.ply"}


@contextlib.contextmanager
def left_if_failing(work: Work, pictures: Path) -> Iterator[None]:
    """Keep the files of the block if it raises ModelFailure; `pictures` contains the prepared photos."""
    try:
        yield
    except ModelFailure:
        try:
            _leave(work, pictures)
        except OSError as error:  # only the failure itself is reported to users
            logger.warning("the files of the failed run are not kept: %s", error)
        raise


def _leave(work: Work, pictures: Path) -> None:
    folder = work.output_dir / FAILED_FOLDER
    for picture in sorted(pictures.glob("*.jpg")):
        _link(picture, folder / "photos" / picture.name)
    for name, pattern in _SCRATCH.items():
        for path in sorted((work.scratch_dir / name).rglob(pattern)):
            _link(path, folder / path.relative_to(work.scratch_dir))


def _link(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:  # a volume that does not support hard links
        shutil.copyfile(source, target)
