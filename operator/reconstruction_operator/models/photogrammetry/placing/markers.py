"""Markers: finds the scale of a scene from printed ArUco or AprilTag markers of a known side.

Garrido-Jurado et al. 2014, "Automatic generation and detection of highly reliable fiducial markers under occlusion";
Wang and Olson 2016, "AprilTag 2". A corner is where the lines of sight of its photos meet best, without a photo that
contradicts the others. A marker counts if its corners are seen sharply and its four sides are nearly equal: a wrong
detection, or a number that was printed twice, has neither.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from reconstruction_operator.models.photogrammetry import parallel
from reconstruction_operator.models.photogrammetry.arrays import Doubles
from reconstruction_operator.models.photogrammetry.input.photos import read_pixels
from reconstruction_operator.models.photogrammetry.sparse.cameras import nearest_to_lines
from reconstruction_operator.models.photogrammetry.sparse.mapping import AlignedPhoto, SparseModel

DICTIONARIES: Mapping[str, int] = {
    "ArUco 4x4": cv2.aruco.DICT_4X4_50,
    "ArUco 5x5": cv2.aruco.DICT_5X5_100,
    "ArUco 6x6": cv2.aruco.DICT_6X6_250,
    "AprilTag 36h11": cv2.aruco.DICT_APRILTAG_36h11,
}
FIRM_PX = 80
"""Side of markers, in px of the prepared photos, up from which their scale is firm."""
FIRM_PHOTOS = 5
"""Number of photos with markers up from which their scale is firm."""

_LEAST_PARALLAX = 1e-3  # for `nearest_to_lines`: two that meet at 4 degrees
# CORNER_REFINE_APRILTAG counts from the corner of a pixel, the cameras from its centre. Without this shift, corners are
# within 0.1 px of the truth, also of blurred and small markers. Those of CORNER_REFINE_SUBPIX are 0.1 to 0.4 px inside,
# so that sides are short.
_SHIFT_PX = 0.5
_WORST_ERROR_PX = 2.0  # mean distance of a corner from its lines of sight
_FEWEST_LEFT = 3  # photos of a marker, without the worst
_CONTRADICTS_PX = 0.5  # a mean error up to which no photo is left out
_UNEQUAL = 0.05  # maximum difference of a marker's sides, relative to their mean


@dataclass(frozen=True, slots=True)
class Scale:
    """The length of a unit of the world, from `markers` markers."""

    metres: float
    markers: int
    photos: int  # that show one of them
    side_px: float  # median side of the markers in these photos
    # Two standard deviations, as a share: from the spread of the sides, and of the scales without each single photo
    uncertainty: float

    @property
    def is_firm(self) -> bool:
        """Whether the markers are large, and in many photos."""
        return self.side_px >= FIRM_PX and self.photos >= FIRM_PHOTOS


@dataclass(frozen=True, eq=False, slots=True)
class _Sighting:
    """A marker in one photo."""

    photo: str
    number: tuple[int, int]  # the dictionary, and the number in it
    side_px: float  # mean of the four
    eye: Doubles  # (3,)
    rays: Doubles  # (4, 3): unit vectors to the corners
    focal: float  # px


def scale(model: SparseModel, pictures: Path, side_m: float, threads: int) -> Scale | None:
    """Return the scale by the markers of `side_m` in the photos of `model` (files in `pictures`); None without a sharp
    marker.
    """
    by_photo = parallel.each(lambda photo: _sightings(photo, pictures), model.photos, threads, lambda *_: None)
    by_number: dict[tuple[int, int], list[_Sighting]] = {}
    for sighting in (sighting for of_photo in by_photo for sighting in of_photo):
        by_number.setdefault(sighting.number, []).append(sighting)
    used = [kept for seen in by_number.values() if _sides(kept := _without_worst(seen)) is not None]
    sides = _all_sides(used)
    if not len(sides):
        return None
    photos = {sighting.photo for seen in used for sighting in seen}
    return Scale(
        metres=side_m / _typical(sides),
        markers=len(used),
        photos=len(photos),
        side_px=float(np.median([sighting.side_px for seen in used for sighting in seen])),
        uncertainty=2.0 * float(np.hypot(_spread_of_sides(sides), _spread_of_photos(used, photos))),
    )


def _all_sides(markers: Sequence[Sequence[_Sighting]]) -> Doubles:
    """(n, 4): the sides of the markers that their photos determine."""
    return np.array([sides for seen in markers if (sides := _sides(seen)) is not None]).reshape(-1, 4)


def _typical(sides: Doubles) -> float:
    """Return the typical side, from all `sides` (n, 4)."""
    return float(np.median(sides.mean(axis=1)))


def _spread_of_sides(sides: Doubles) -> float:
    """Return the standard error of the mean side, as a share."""
    return float(sides.std() / sides.mean() / np.sqrt(sides.size))


def _spread_of_photos(markers: Sequence[Sequence[_Sighting]], photos: Collection[str]) -> float:
    """Return the standard error of the side without single photos (jackknife), as a share; 0 if too few are left."""
    without = [
        _typical(sides)
        for photo in sorted(photos)
        if len(sides := _all_sides([[seen for seen in marker if seen.photo != photo] for marker in markers]))
    ]
    return float(np.std(without) / np.mean(without) * np.sqrt(len(without) - 1)) if without else 0.0


def _sightings(photo: AlignedPhoto, pictures: Path) -> list[_Sighting]:
    parameters = cv2.aruco.DetectorParameters()
    parameters.cornerRefinementMethod = cv2.aruco.CORNER_REFINE_APRILTAG
    dictionaries = [cv2.aruco.getPredefinedDictionary(name) for name in DICTIONARIES.values()]
    detector = cv2.aruco.ArucoDetector(dictionaries, parameters)
    grey = read_pixels(pictures / photo.name, cv2.IMREAD_GRAYSCALE)
    corners, numbers, _, kinds = detector.detectMarkersMultiDict(grey)
    camera, sightings = photo.camera, []
    for index, marker in enumerate(corners):
        seen = marker.reshape(4, 2) - _SHIFT_PX
        straight = cv2.undistortPoints(seen[:, None], camera.intrinsics, photo.radial.coefficients)
        rays = np.column_stack([straight.reshape(4, 2), np.ones(4)]) @ camera.rotation
        rays /= np.linalg.norm(rays, axis=1, keepdims=True)
        number = (int(kinds[index]), int(numbers[index].item()))
        side_px = float(np.linalg.norm(seen - np.roll(seen, 1, axis=0), axis=1).mean())
        sightings.append(_Sighting(photo.name, number, side_px, camera.centre, rays, camera.lens[0]))
    return sightings


def _without_worst(sightings: Sequence[_Sighting]) -> Sequence[_Sighting]:
    """Return the photos of a marker without one that contradicts the others, if enough are left."""
    error_px = _error_px(sightings)
    if len(sightings) <= _FEWEST_LEFT or error_px <= _CONTRADICTS_PX:
        return sightings
    others = [[*sightings[:index], *sightings[index + 1 :]] for index in range(len(sightings))]
    best = min(others, key=_error_px)
    return best if _error_px(best) <= error_px / 2 else sightings


def _error_px(sightings: Sequence[_Sighting]) -> float:
    """Return the mean distance of the corners from their lines of sight; infinite if these are parallel."""
    met = [_meeting(sightings, corner) for corner in range(4)]
    errors = [float(corner[1].mean()) for corner in met if corner is not None]
    return float(np.mean(errors)) if len(errors) == len(met) else np.inf


def _sides(sightings: Sequence[_Sighting]) -> Doubles | None:
    """(4,): the sides of a marker in the world; None if its photos do not determine them."""
    corners = []
    for corner in range(4):
        met = _meeting(sightings, corner) if sightings else None
        if met is None or met[1].mean() > _WORST_ERROR_PX:
            return None
        corners.append(met[0])
    sides: Doubles = np.linalg.norm(np.array(corners) - np.roll(np.array(corners), 1, axis=0), axis=1)
    return sides if np.ptp(sides) <= _UNEQUAL * sides.mean() else None


def _meeting(sightings: Sequence[_Sighting], corner: int) -> tuple[Doubles, Doubles] | None:
    """(3,) and (photos,): the point nearest to the lines of sight to a corner, and their distances from it in px.

    None if the lines are parallel.
    """
    eyes = np.stack([sighting.eye for sighting in sightings])
    rays = np.stack([sighting.rays[corner] for sighting in sightings])
    point = nearest_to_lines(eyes, rays, _LEAST_PARALLAX)
    if point is None:
        return None
    aside = np.linalg.norm(np.cross(rays, point - eyes), axis=1)
    focal = np.array([sighting.focal for sighting in sightings])
    return point, focal * aside / np.linalg.norm(point - eyes, axis=1)
