"""Photo: one photo of an input, once it was checked. Its checks, the files of a job and the models share it.

A mask is a picture that shows where the object is in a photo. It lies beside the photo, under the name that `mask_of`
returns.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

MASK_SUFFIX: Final = ".mask.png"


@dataclass(frozen=True, slots=True)
class Photo:
    """A checked photo: it was decoded once, and is in a folder of this run alone."""

    path: Path
    width: int  # px, after EXIF orientation
    height: int  # px, after EXIF orientation
    bytes: int  # of the user's file
    # Its mask, in the proportions of the upright photo, black where the object is not
    mask: Path | None = None
    sha256: str = ""  # of the file; empty: unknown
    warning: str = ""  # for people: what is wrong with its file, which is used all the same


def mask_of(name: str) -> str:
    """Return the name of the mask beside the photo `name`."""
    return PurePosixPath(name).stem + MASK_SUFFIX
