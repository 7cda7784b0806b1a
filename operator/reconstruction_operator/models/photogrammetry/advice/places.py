"""Places: where a photographer can take another photo, by where the photos were taken.

Around an object, they are the photos turned around what they look at, up to the height of others. Elsewhere (a room, a
facade, a flight) they are the photos moved by a few steps, in a room also turned. None is in the object, below
the ground or behind a wall, and each is so near to a photo that it can be aligned with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from scipy.spatial import cKDTree

from reconstruction_operator.models.photogrammetry.arrays import Doubles
from reconstruction_operator.models.photogrammetry.sparse.cameras import Camera
from reconstruction_operator.models.photogrammetry.surface import regions
from reconstruction_operator.models.photogrammetry.surface.meshes import Caster, Mesh, extents

_SOURCES = 40  # most photos that are turned and moved
_LINK_DEG = (20.0, 45.0)  # range of the largest angle to the next photo, seen from the target
_SPARE = 1.3  # factor by which that angle may exceed the usual one between the photos
_WIDEST_DEG = 90.0  # from the photo that is turned
_RISES_DEG = (0.0, 15.0, -15.0)
_STEPS = (1.5, 3.0, 4.5)  # from the photo that is moved, in distances between neighbouring photos
_LINK_STEPS = 2.0  # largest distance to the next photo, in these
_YAWS_DEG = (0.0, 30.0, -30.0)
_LINK_YAW_DEG = 40.0  # largest angle to the next photo's line of sight
_LEVEL = 0.7  # largest vertical part of a line of sight that is turned
_STEEP = 0.95  # the same from which on the top of the picture is ahead
_LEAST_APART = 0.35  # of the largest distance to the next photo: nearer ones show nothing new
_CROWDED = 0.2  # the same between places, of which one is enough
_NEAREST_SHARE = 0.5  # of the smallest distance of a photo from the surface
_HEIGHT_SPARE = 0.05  # of the distance from the target, above and below the other photos
_BEYOND = 1.5  # extents of the mesh by which the middle of an object is at most off its own
_UP = np.array([0.0, 1.0, 0.0])


@dataclass(frozen=True, eq=False, slots=True)
class Place:
    """A photo that was or could be taken, in the coordinates of the model."""

    camera: Camera
    target: Doubles  # (3,): what it looks at
    link_deg: float | None  # largest angle to the next photo, around an object; None elsewhere
    link: float  # largest distance to it, elsewhere
    centre: Doubles = field(init=False)  # (3,): of the camera

    def __post_init__(self) -> None:
        """Compute the position once: it is compared with many others."""
        object.__setattr__(self, "centre", self.camera.centre)

    @property
    def sight(self) -> Doubles:
        """(3,): the line of sight, of length 1."""
        return np.asarray(self.camera.rotation[2])

    def level(self) -> Doubles:
        """(3, 3): the photographer's right, up, and ahead."""
        ahead = self.sight
        if abs(ahead[1]) > _STEEP:  # straight down or up: ahead is the top of the picture
            ahead = -self.camera.rotation[1]
        ahead = ahead * [1.0, 0.0, 1.0]
        ahead /= max(float(np.linalg.norm(ahead)), 1e-9)
        return np.stack([np.cross(ahead, _UP), _UP, ahead])

    def yaw_deg(self, other: Place) -> float:
        """Return by how much the other one looks farther to the right."""
        right, _, ahead = self.level() @ other.level()[2]
        return float(np.degrees(np.arctan2(right, ahead)))


def taken(cameras: Sequence[Camera], mesh: Mesh, caster: Caster, *, is_around: bool) -> list[Place]:
    """Return the places of the photos; `is_around`: whether the scene is around the cameras."""
    centres = np.stack([camera.centre for camera in cameras])
    middle = None if is_around else regions.point_of_convergence(cameras)
    off = np.inf if middle is None else np.abs(middle - mesh.vertices.mean(axis=0)).max()
    if middle is not None and off < _BEYOND * extents(mesh.vertices).max():
        sights = _units(centres - middle)
        usual_deg = float(np.median(_nearest(np.degrees(np.arccos(np.clip(sights @ sights.T, -1.0, 1.0))))))
        link_deg = float(np.clip(_SPARE * usual_deg, *_LINK_DEG))
        return [Place(camera, middle, link_deg, 0.0) for camera in cameras]
    usual = float(np.median(_nearest(np.linalg.norm(centres[:, None] - centres, axis=2))))
    ahead = np.stack([camera.rotation[2] for camera in cameras])
    face, weights = caster.cast(centres, ahead)
    hits = np.einsum("nc,ncx->nx", weights, mesh.vertices[mesh.faces[np.maximum(face, 0)]])
    depths = np.linalg.norm(hits - centres, axis=1)
    depths[face < 0] = np.median(depths[face >= 0]) if (face >= 0).any() else 1.0
    targets = centres + depths[:, None] * ahead
    return [Place(camera, target, None, _LINK_STEPS * usual) for camera, target in zip(cameras, targets, strict=True)]


def reachable(photos: Sequence[Place], mesh: Mesh, caster: Caster, *, is_around: bool) -> list[Place]:
    """Return places for more photos, apart from each other and from the `photos`."""
    tree = cKDTree(mesh.vertices)
    nearest = _NEAREST_SHARE * float(tree.query([photo.centre for photo in photos])[0].min())
    heights = [float(photo.centre[1]) for photo in photos]
    found: list[Place] = []
    for photo in photos[:: -(-len(photos) // _SOURCES)]:
        spare = _HEIGHT_SPARE * float(np.linalg.norm(photo.centre - photo.target))
        low = min(heights) - spare
        high = max(heights) + spare
        for place in _turned(photo) if photo.link_deg else _moved(photo, is_around=is_around):
            centre = place.centre
            if not low <= centre[1] <= high or tree.query(centre)[0] < nearest or _is_below(centre, mesh, caster):
                continue
            if photo.link_deg is None and _is_behind(photo, place, caster):
                continue
            if apart(place, photos).min() >= _LEAST_APART and apart(place, found).min(initial=1.0) >= _CROWDED:
                found.append(place)
    return found


def is_next(place: Place, others: Sequence[Place]) -> bool:
    """Return whether a photo of that place can be aligned with one of the others, and shows something new."""
    return bool(_LEAST_APART <= apart(place, others).min() <= 1.0)


def apart(place: Place, others: Sequence[Place]) -> Doubles:
    """(others,): how far each is from the place: 1 is the largest distance of a photo from the next one."""
    centres = np.array([other.centre for other in others]).reshape(-1, 3)
    if place.link_deg is not None:
        return np.asarray(_angles_deg(place.centre - place.target, centres - place.target) / place.link_deg)
    sights = np.array([other.sight for other in others]).reshape(-1, 3)
    distances = np.linalg.norm(centres - place.centre, axis=1) / max(place.link, 1e-12)
    return np.asarray(np.maximum(distances, _angles_deg(place.sight, sights) / _LINK_YAW_DEG))


def turn_deg(photo: Place, place: Place) -> float:
    """Return the angle from a photo to a place around the vertical through the target, to the photographer's right."""
    (x, _, z), (to_x, _, to_z) = photo.centre - place.target, place.centre - place.target
    return float(np.degrees(np.arctan2(z * to_x - x * to_z, x * to_x + z * to_z)))


def _turned(photo: Place) -> Iterator[Place]:
    """Yield the places around the photo's target, at its distance."""
    away = photo.centre - photo.target
    across = float(np.hypot(away[0], away[2]))
    step = (photo.link_deg or 0.0) / 2
    turns = [sign * turn for turn in np.arange(0.0, _WIDEST_DEG + 1.0, step) for sign in (1.0, -1.0)]
    elevation = np.arctan2(away[1], across)
    azimuth = np.arctan2(away[0], away[2])
    for rise in np.radians(_RISES_DEG):
        if abs(elevation + rise) < np.radians(85.0):
            for turn in np.radians(turns):
                level = np.cos(elevation + rise)
                way = [np.sin(azimuth + turn) * level, np.sin(elevation + rise), np.cos(azimuth + turn) * level]
                eye = photo.target + np.linalg.norm(away) * np.array(way)
                yield replace(photo, camera=_looking(photo.camera, eye, photo.target - eye))


def _moved(photo: Place, *, is_around: bool) -> Iterator[Place]:
    """Yield the places beside the photo; in front and behind, too, if it looks down, and in a room, where photos may
    look other ways.
    """
    right, _, ahead = photo.level()
    sight = photo.sight
    is_level = abs(sight[1]) < _LEVEL
    depth = float(np.linalg.norm(photo.target - photo.centre))
    for way in (right, -right, ahead, -ahead) if is_around or not is_level else (right, -right):
        for step in _STEPS:
            eye = photo.centre + step * photo.link / _LINK_STEPS * way
            for yaw in np.radians(_YAWS_DEG if is_around and is_level else _YAWS_DEG[:1]):
                cosine = np.cos(yaw)
                sine = np.sin(yaw)
                turned = np.array([cosine * sight[0] + sine * sight[2], sight[1], cosine * sight[2] - sine * sight[0]])
                camera = _looking(photo.camera, eye, turned, top=-photo.camera.rotation[1])
                yield replace(photo, camera=camera, target=eye + depth * turned)


def _looking(lens: Camera, eye: Doubles, sight: Doubles, top: Doubles = _UP) -> Camera:
    """Return the camera of that lens at `eye`, along `sight`; upright, or with `top` up if it looks straight down."""
    ahead = sight / np.linalg.norm(sight)
    right = np.cross(ahead, top if abs(ahead[1]) > _STEEP else _UP)
    right /= max(float(np.linalg.norm(right)), 1e-9)
    rotation = np.stack([right, np.cross(ahead, right), ahead])
    return Camera(lens.intrinsics, rotation, -rotation @ eye, lens.width, lens.height)


def _is_below(point: Doubles, mesh: Mesh, caster: Caster) -> bool:
    """Return whether the point is below the ground or in the object: above it is the back of a face."""
    face, _ = caster.cast(point[None], _UP[None])
    return bool(face[0] >= 0 and Mesh(mesh.vertices, mesh.faces[face]).face_normals()[0, 1] > 0)


def _is_behind(photo: Place, place: Place, caster: Caster) -> bool:
    """Return whether a wall is between the photo and the place."""
    start, way = photo.centre, place.centre - photo.centre
    return not caster.sees(start[None], np.zeros((1, 3)), start + way)[0]


def _nearest(distances: Doubles) -> Doubles:
    """(n,): the smallest distance of each of n from another, of all `distances` (n, n)."""
    others = distances.copy()
    np.fill_diagonal(others, np.inf)
    return np.asarray(others.min(axis=1))


def _units(vectors: Doubles) -> Doubles:
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12))


def _angles_deg(one: Doubles, others: Doubles) -> Doubles:
    """(n,): the angles between a vector (3,) and each of `others` (n, 3)."""
    return np.asarray(np.degrees(np.arccos(np.clip(_units(others) @ _units(one[None])[0], -1.0, 1.0))))
