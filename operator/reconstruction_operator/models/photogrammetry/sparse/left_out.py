"""Photos left out: finds which photos a sparse model does not contain, and why."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from reconstruction_operator.models.photogrammetry import quality_gates
from reconstruction_operator.models.photogrammetry.sparse import matching
from reconstruction_operator.models.photogrammetry.sparse.colmap import pycolmap


class Why(enum.StrEnum):
    """Why a photo is not in the model, in words for users."""

    NO_FEATURES = "too few distinct points"
    NO_MATCHES = "overlaps with no other photo"
    APART = "aligned with others, which show another object or another side"
    NOT_ALIGNED = "overlaps with others, but could not be aligned with them"


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A photo that is not in the sparse model. `name` is that of the prepared photo, as in `AlignedPhoto`."""

    name: str
    why: Why


def left_out(database: Path, aligned: Iterable[str], apart: Iterable[str]) -> tuple[LeftOut, ...]:
    """Return the photos in `database` whose names are not in `aligned`, in the order of their names.

    The photos in `apart` were aligned in another model.
    """
    inside, elsewhere = set(aligned), set(apart)
    matched = {name for pair in matching.overlapping(database) for name in pair}
    photos = []
    with pycolmap.Database.open(database) as opened:
        for image in sorted(opened.read_all_images(), key=lambda image: str(image.name)):
            why = Why.NOT_ALIGNED if image.name in matched else Why.NO_MATCHES
            if opened.num_keypoints_for_image(image.image_id) < quality_gates.POINTS_SEEN.limit:
                why = Why.NO_FEATURES
            if image.name not in inside:
                photos.append(LeftOut(image.name, Why.APART if image.name in elsewhere else why))
    return tuple(photos)
