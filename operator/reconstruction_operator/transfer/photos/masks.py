"""Masks: pictures that show where the object is in a photo. They are copied with the photos, but not counted as photos.

The mask of `IMG_1.jpg` is `IMG_1.mask.png` or `IMG_1.jpg.mask.png` beside it, or `IMG_1.png` or `IMG_1.jpg.png` in a
folder `masks` there.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Final

from reconstruction_operator.contract.photos import MASK_SUFFIX, mask_of

_FOLDER: Final = "masks"


def is_mask(name: str) -> bool:
    """Return whether the relative path `name` is that of a mask."""
    return beside(name).lower().endswith(MASK_SUFFIX)


def count_photos(names: Iterable[str]) -> int:
    """Return how many of the relative paths are not masks."""
    return sum(not is_mask(name) for name in names)


def beside(name: str) -> str:
    """Return the relative path of a mask in a folder `masks` as if it were beside its photo; any
    other path unchanged.
    """
    path = PurePosixPath(name)
    if path.suffix.lower() == ".png" and path.parent.name.lower() == _FOLDER:
        return str(path.parent.parent / mask_of(path.name))
    return name


def of_photos(names: Iterable[str]) -> dict[str, str | None]:
    """Map each photo in a flat folder to its mask or None, by their names. Masks without a photo are ignored."""
    photos, masks = [], {}
    for name in names:
        if is_mask(name):
            masks[name.lower().removesuffix(MASK_SUFFIX)] = name
        else:
            photos.append(name)
    return {name: masks.get(name.lower()) or masks.get(PurePosixPath(name).stem.lower()) for name in photos}
