"""Quality gates: the minimum quality of photos and intermediate results, in one table. docs/parameters.md shows it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Gate:
    """A lower limit of a value that is measured during a run."""

    measured: str
    limit: float
    reason: str  # of the failure below the limit; empty: a photo is left out, or the result gets a warning
    below: str  # what a value below the limit means


SIZE_PX: Final = Gate(
    "longer side of the photos in px, median", 200, "IMAGE_TOO_SMALL", "previews, icons, or a wrong export"
)
FEATURES: Final = Gate(
    "distinct points (SIFT) of the photos, median",
    150,
    "LOW_TEXTURE",
    "plain or shiny surfaces, dark or blurred photos",
)
PARALLAX_SHARE: Final = Gate(
    "share of the overlapping pairs of photos that show parallax",
    0.1,
    "NO_PARALLAX",
    "the camera only turned, or did not move; two photos are from one place if a rotation explains their difference",
)
ALIGNED: Final = Gate("aligned photos", 3, "NOT_ENOUGH_OVERLAP", "too few parts are seen from several sides")
ALIGNED_SHARE: Final = Gate(
    "share of the photos that are aligned",
    0.4,
    "NOT_ENOUGH_OVERLAP",
    "the result would show only a small part of the subject",
)
WHOLE_SHARE: Final = Gate(
    "share of the photos that are aligned",
    0.97,
    "",
    "the result gets a warning that names the photos left out; up to 33 photos, one is enough",
)
POINTS_SEEN: Final = Gate(
    "sparse points that a photo shows", 25, "", "the photo is left out: its position would be unreliable"
)
POINTS_PER_PHOTO: Final = Gate(
    "sparse points for each aligned photo",
    20,
    "NO_PARALLAX",
    "the photos were aligned by chance; good sets have 50 to 800",
)
ANGLE_DEG: Final = Gate(
    "angle in degrees at which the lines of sight meet in the sparse points, median",
    2.0,
    "NO_PARALLAX",
    "the camera moved too little for its distance, so depth is mostly noise",
)
AXES_DEG: Final = Gate(
    "angle in degrees between the optical axes and their mean, root mean square, if a photo has no focal length in "
    "its EXIF data",
    3.0,
    "",
    "the result gets a warning: photos with parallel axes do not show the focal length, so depths or heights may be "
    "stretched",
)
DENSE_POINTS: Final = Gate(
    "points of the surface on which the photos agree", 2000, "NO_DENSE_SURFACE", "shiny, transparent or plain surfaces"
)
FACES: Final = Gate("triangles of the surface that rest on such points", 200, "NO_DENSE_SURFACE", "the same")

TABLE: Final = tuple(gate for gate in vars().values() if isinstance(gate, Gate))


def fewest_aligned(count: int) -> int:
    """Return how many of `count` photos must be aligned."""
    return max(int(ALIGNED.limit), math.ceil(ALIGNED_SHARE.limit * count))
