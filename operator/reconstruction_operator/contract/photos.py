"""Photo: one photo of an input, once it was checked. Its checks, the files of a job and the models share it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Photo:
    """A checked photo: it was decoded once, and is in a folder of this run alone."""

    path: Path
    width: int  # px, after EXIF orientation
    height: int  # px, after EXIF orientation
    bytes: int  # of the user's file
    # A picture in the proportions of the upright photo, black where the object is not
    mask: Path | None = None
