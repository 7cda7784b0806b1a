"""Standpoints: chooses the places of up to six more photos, one after the other, each the best beside those before.

This is next best view planning (Connolly 1985, "The determination of next best views"), among places that a
photographer reaches (`places`). A point of the surface is shown when three photos show it from the front (`lacking`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from reconstruction_operator.models.photogrammetry.advice import lacking, places
from reconstruction_operator.models.photogrammetry.arrays import Doubles, Mask, Singles
from reconstruction_operator.models.photogrammetry.sparse.cameras import Camera
from reconstruction_operator.models.photogrammetry.surface.meshes import Caster, Mesh

_MOST = 6
_FEWEST = 2  # photos; the distance between one and the next is unknown
_LEAST_BEST_GAIN = 0.005  # of the surface; if the best photo adds less, none is needed
_LEAST_GAIN = 0.0005  # of each further photo


@dataclass(frozen=True, eq=False, slots=True)
class Standpoint:
    """Where to take a photo, in the coordinates of the model."""

    camera: Camera
    target: Doubles  # (3,): the middle of the photo
    nearest: int  # index of the photo that was taken nearest to it
    turn_deg: float | None  # from there around the target, to the photographer's right; None: by `way`
    way: Doubles  # (3,): from there to the photographer's right, upwards and ahead
    yaw_deg: float  # by which it looks farther to the right than that photo
    gain: float  # share of the surface that it would add

    @property
    def position(self) -> Doubles:
        """(3,)."""
        return self.camera.centre

    @property
    def direction(self) -> Doubles:
        """(3,): unit vector of the line of sight."""
        return np.asarray(self.camera.rotation[2])

    @property
    def distance(self) -> float:
        """Distance from the target."""
        return float(np.linalg.norm(self.target - self.position))


def find(
    mesh: Mesh, weights: Singles, subject: Mask, cameras: Sequence[Camera], *, is_object: bool, is_around: bool
) -> list[Standpoint]:
    """Return the best standpoints, the best first; none if the photos show all that they can.

    `weights` (n, photos) are positive where a photo shows a vertex of `mesh`, whose +Y is up. `subject` (n,) is where
    it shows the subject. `is_object`: whether the photos show something from around it; `is_around`: whether the scene
    is around the cameras.
    """
    if len(cameras) < _FEWEST:
        return []
    caster = Caster(mesh)
    weak = lacking.of_surface(mesh, weights, subject, cameras)
    if is_object:
        weak = weak.joined(lacking.of_hull(mesh, subject, cameras, caster))
    taken = places.taken(cameras, mesh, caster, is_around=is_around)
    reachable = places.reachable(taken, mesh, caster, is_around=is_around)
    if not reachable or not len(weak.points):
        return []
    shown = np.stack([weak.shown_by(place.camera, caster) for place in reachable])
    occupied = list(taken)
    chosen: list[Standpoint] = []
    shares = weak.shares.astype(np.float32)
    for _ in range(_MOST):
        open_ = np.array([places.is_next(place, occupied) for place in reachable])
        after = np.minimum(shares + shown, lacking.ENOUGH)
        gains = np.where(open_, (after - shares) @ weak.areas, 0.0) / (lacking.ENOUGH * weak.total)
        best = int(gains.argmax())
        if gains[best] < (_LEAST_GAIN if chosen else _LEAST_BEST_GAIN):
            break
        chosen.append(_standpoint(reachable[best], taken, float(gains[best])))
        occupied.append(reachable[best])
        shares = after[best]
    return chosen


def _standpoint(place: places.Place, taken: Sequence[places.Place], gain: float) -> Standpoint:
    nearest = int(places.apart(place, taken).argmin())
    photo = taken[nearest]
    way = photo.level() @ (place.centre - photo.centre)
    turn = None if place.link_deg is None else places.turn_deg(photo, place)
    return Standpoint(place.camera, place.target, nearest, turn, way, photo.yaw_deg(place), gain)
