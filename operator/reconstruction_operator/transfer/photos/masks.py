"""Masks: pictures beside photos that show where the object is. They are copied with the photos, but do not count as photos.

The mask of `IMG_1.jpg` is `IMG_1.mask.png` or `IMG_1.jpg.mask.png` beside it, or `IMG_1.png` or `IMG_1.jpg.png` in a folder `masks` there.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Final

_SUFFIX: Final = ".mask.png"
_FOLDER: Final = "masks"


def is_mask(name: str) -> bool:
    """Whether the relative path `name` is that of a mask."""
    return beside(name).lower().endswith(_SUFFIX)


def count_photos(names: Iterable[str]) -> int:
    """How many of the relative paths are no masks."""
    return sum(not is_mask(name) for name in names)


def beside(name: str) -> str:
    """The relative path of a mask from a folder `masks`, moved beside its photo; any other path unchanged."""
    path = PurePosixPath(name)
    if path.suffix.lower() == ".png" and path.parent.name.lower() == _FOLDER:
        return str(path.parent.parent / (path.stem + _SUFFIX))
    return name


def of_photos(names: Iterable[str]) -> dict[str, str | None]:
    """Maps each photo to its mask or None, by the names in one flat folder; masks without a photo are left out."""
    photos, masks = [], {}
    for name in names:
        if is_mask(name):
            masks[name.lower().removesuffix(_SUFFIX)] = name
        else:
            photos.append(name)
    return {name: masks.get(name.lower()) or masks.get(PurePosixPath(name).stem.lower()) for name in photos}
