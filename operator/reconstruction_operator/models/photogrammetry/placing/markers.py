"""Markers: finds the scale of a scene from printed ArUco or AprilTag markers of a known side.

Garrido-Jurado et al. 2014, "Automatic generation and detection of highly reliable fiducial markers under occlusion";
Wang and Olson 2016, "AprilTag 2". A corner is where the lines of sight of its photos meet best. A marker counts if its
corners are seen sharply and its four sides are nearly equal: a wrong detection, or a number that was printed twice, has
neither.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
_LEAST_PARALLAX = 1e-3  # for `nearest_to_lines`: two that meet at 4 degrees
_WORST_ERROR_PX = 2.0  # mean distance of a corner from its lines of sight
_UNEQUAL = 0.05  # maximum difference of a marker's sides, relative to their mean


@dataclass(frozen=True, slots=True)
class Scale:
    """The length of a unit of the world, from `markers` markers."""

    metres: float
    markers: int


@dataclass(frozen=True, eq=False, slots=True)
class _Sighting:
    """A marker in one photo."""

    number: tuple[int, int]  # the dictionary, and the number in it
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
    sides = [side for seen in by_number.values() if (side := _side(seen)) is not None]
    return Scale(side_m / float(np.median(sides)), len(sides)) if sides else None


def _sightings(photo: AlignedPhoto, pictures: Path) -> list[_Sighting]:
    parameters = cv2.aruco.DetectorParameters()
    parameters.cornerRefinementMethod = cv2.aruco.CORNER_REFINE_APRILTAG  # a tenth of the error of CORNER_REFINE_SUBPIX
    dictionaries = [cv2.aruco.getPredefinedDictionary(name) for name in DICTIONARIES.values()]
    detector = cv2.aruco.ArucoDetector(dictionaries, parameters)
    grey = read_pixels(pictures / photo.name, cv2.IMREAD_GRAYSCALE)
    corners, numbers, _, kinds = detector.detectMarkersMultiDict(grey)
    camera, sightings = photo.camera, []
    for index, marker in enumerate(corners):
        straight = cv2.undistortPoints(marker, camera.intrinsics, np.array([photo.radial, 0.0, 0.0, 0.0]))
        rays = np.column_stack([straight.reshape(4, 2), np.ones(4)]) @ camera.rotation
        rays /= np.linalg.norm(rays, axis=1, keepdims=True)
        number = (int(kinds[index]), int(numbers[index].item()))
        sightings.append(_Sighting(number, camera.centre, rays, camera.lens[0]))
    return sightings


def _side(sightings: Sequence[_Sighting]) -> float | None:
    """Return the mean side of a marker in the world; None if its photos do not determine it."""
    corners = [_meeting(sightings, corner) for corner in range(4)]
    if any(corner is None for corner in corners):
        return None
    sides = np.linalg.norm(np.array(corners) - np.roll(np.array(corners), 1, axis=0), axis=1)
    mean = float(sides.mean())
    return mean if np.ptp(sides) <= _UNEQUAL * mean else None


def _meeting(sightings: Sequence[_Sighting], corner: int) -> Doubles | None:
    """(3,): the point nearest to the lines of sight to a corner, by least squares; None if it is not sharp."""
    eyes = np.stack([sighting.eye for sighting in sightings])
    rays = np.stack([sighting.rays[corner] for sighting in sightings])
    point = nearest_to_lines(eyes, rays, _LEAST_PARALLAX)
    if point is None:
        return None
    aside = np.linalg.norm(np.cross(rays, point - eyes), axis=1)
    focal = np.array([sighting.focal for sighting in sightings])
    errors_px = focal * aside / np.linalg.norm(point - eyes, axis=1)
    return point if errors_px.mean() <= _WORST_ERROR_PX else None
