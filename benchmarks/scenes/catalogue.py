"""Catalogue: the scenes by name.

A scene is a folder of photos with the truth: the mesh and the positions of the cameras.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from reconstruction_operator.models.photogrammetry.arrays import Doubles
from reconstruction_operator.models.photogrammetry.sparse.cameras import Camera, looking_at, pinhole
from reconstruction_operator.models.photogrammetry.surface.meshes import Mesh, extents

from benchmarks.scenes import rendering, shapes
from benchmarks.scenes.paint import Paint

TRUTH = "truth.npz"
_WIDTH, _HEIGHT, _FOCAL = 960, 720, 950.0  # px
_LARGE = 4 / 3
_LARGE_SIZE = (1280, 960)  # px
_BUNNY_DISTANCE, _BUNNY_AIM_HEIGHT = 2.3, 0.45
_HOUSE_DISTANCE, _HOUSE_AIM_HEIGHT = 18.0, 1.5  # m
_ELEVATION_DEG, _SWING_DEG = 28.0, 12.0
_WALK_DISTANCE, _ROOM_DISTANCE, _EYE_HEIGHT = 4.0, 1.5, 1.7  # m
_OFF_CENTRE = (-12, 9)  # px: left and top of photos whose principal point is 12 px to the right and 9 px above
_CUT = 96  # px: the left tenth of a photo
_HELD_OUT = 4  # photos of a ring
_GROUND_MARGIN = 0.03  # of the diagonal: below it, ground and subject cannot be separated
_UP = np.array([0.0, 0.0, 1.0])
_NORTH = np.array([0.0, 1.0, 0.0])
_PLATE = 0.9  # reach of the turntable
_STREETS = (26.0, 22.0)  # m between the middles of houses, in each direction
_FLIGHT_HEIGHT, _FORWARD, _SIDEWARD = 36.0, 7.0, 9.0  # m: of a drone, and between its photos, along and across


@dataclass(frozen=True, eq=False, slots=True)
class Scene:
    """A subject on the ground, with its cameras."""

    subject: Mesh  # the measured mesh
    reach: float  # of the ground around it
    paint: Paint
    cameras: Sequence[Camera]
    held_out: Sequence[Camera] = ()  # of photos that are compared with the result, and not part of its input
    at: Callable[[Doubles], list[Camera]] | None = None  # the cameras of its ring at angles in radians
    in_studio: bool = False  # as `rendering.Subject`

    def painted(self) -> rendering.Subject:
        """Return the subject on its ground, to be rendered."""
        whole = shapes.joined(self.subject, shapes.ground(self.reach))
        return rendering.Subject.of(whole, self.paint, in_studio=self.in_studio)


@dataclass(frozen=True, eq=False, slots=True)
class Truth:
    """The mesh and the cameras of a folder of photos."""

    subject: Mesh
    photos: Sequence[str]  # file names
    centres: Doubles  # (photos, 3)

    @property
    def diagonal(self) -> float:
        """The diagonal of the subject's box."""
        return float(np.linalg.norm(extents(self.subject.vertices)))

    @property
    def lowest(self) -> float:
        """The height above which the subject is measured."""
        return _GROUND_MARGIN * self.diagonal


def orbit(count: int) -> Scene:
    """Return the bunny with `count` cameras around it."""
    return _ring(shapes.bunny(), 3.0, 0.4, count, _BUNNY_DISTANCE, aim_height=_BUNNY_AIM_HEIGHT)


def speckled(count: int) -> Scene:
    """Return the bunny with fine, saturated speckles, on larger photos, so that a texture that loses detail or colour
    shows.
    """
    scene = orbit(count)
    pixel = _BUNNY_DISTANCE / (_FOCAL * _LARGE)
    rings = ([camera.resized(*_LARGE_SIZE) for camera in ring] for ring in (scene.cameras, scene.held_out))
    cameras, held_out = rings
    return replace(scene, paint=Paint.speckled(0.4, pixel), cameras=cameras, held_out=held_out)


def off_centre(count: int) -> Scene:
    """Return the bunny by a camera whose principal point is off the centre; it was turned for one photo, and one photo
    is cropped.
    """
    scene = orbit(count)
    first, second, *others = [rendering.part(camera, *_OFF_CENTRE, _WIDTH, _HEIGHT) for camera in scene.cameras]
    return replace(scene, cameras=[_turned(first), rendering.part(second, _CUT, 0, _WIDTH - _CUT, _HEIGHT), *others])


def flight(count: int) -> Scene:
    """Return the house with `count` cameras around and above it."""
    return _ring(shapes.house(), 40.0, 2.0, count, _HOUSE_DISTANCE, aim_height=_HOUSE_AIM_HEIGHT)


def walk(count: int) -> Scene:
    """Return the house with `count` cameras on a walk around it, each looking at the wall."""
    places = shapes.outline(_WALK_DISTANCE, count)
    ahead = np.roll(places, -1, axis=0) - np.roll(places, 1, axis=0)
    to_wall = np.stack([-ahead[:, 1], ahead[:, 0]], axis=1)  # counter-clockwise: the house is on the left
    eyes = np.column_stack([places, _EYE_HEIGHT + 0.2 * np.sin(np.arange(count))])
    targets = eyes + np.column_stack([to_wall / np.linalg.norm(to_wall, axis=1, keepdims=True), np.zeros(count)])
    cameras = [photographer(eye, target) for eye, target in zip(eyes, targets, strict=True)]
    return Scene(shapes.house(), 40.0, Paint(size=2.0, finest=_WALK_DISTANCE / _FOCAL * 2), cameras)


def large_walk(count: int) -> Scene:
    """Return the same walk with larger photos, of which each takes more time, but not all together."""
    scene = walk(count)
    paint = Paint(size=2.0, finest=_WALK_DISTANCE / (_FOCAL * _LARGE) * 2)
    return replace(scene, paint=paint, cameras=[camera.resized(*_LARGE_SIZE) for camera in scene.cameras])


def room(count: int) -> Scene:
    """Return the house from inside, with `count` cameras along its walls, each looking across."""
    eyes = np.column_stack([shapes.outline(-_ROOM_DISTANCE, count), np.full(count, _EYE_HEIGHT)])
    cameras = [photographer(eye, np.array([0.0, 0.0, _EYE_HEIGHT])) for eye in eyes]
    return Scene(shapes.house(), 40.0, Paint(size=2.0, finest=_WALK_DISTANCE / _FOCAL * 2), cameras)


def turntable(count: int) -> Scene:
    """Return the bunny on a plate that turns once before a black cloth, while the camera takes `count` photos."""
    angles = 2 * np.pi * np.arange(count) / count
    cameras = _around(_BUNNY_DISTANCE, _BUNNY_AIM_HEIGHT, angles, swing_deg=0.0)
    return replace(orbit(count), reach=_PLATE, cameras=cameras, at=None, in_studio=True)


def block(lines: int, each: int) -> Scene:
    """Return four houses with the photos of a drone above them, which looks straight down: `lines` of `each` photos."""
    places = [(side * _STREETS[0] / 2, along * _STREETS[1] / 2) for side in (-1, 1) for along in (-1, 1)]
    houses = functools.reduce(shapes.joined, [shapes.moved(shapes.house(), place) for place in places])
    cameras = []
    for line in range(lines):
        for number in range(each):
            ahead = number if line % 2 == 0 else each - 1 - number
            below = np.array([(line - (lines - 1) / 2) * _SIDEWARD, (ahead - (each - 1) / 2) * _FORWARD, 0.0])
            cameras.append(photographer(below + _FLIGHT_HEIGHT * _UP, below, up=_NORTH))
    return Scene(houses, 80.0, Paint(size=2.0, finest=_FLIGHT_HEIGHT / _FOCAL * 2), cameras)


SCENES: Mapping[str, Callable[[], Scene]] = {
    "bunny-12": lambda: orbit(12),
    "bunny-24": lambda: orbit(24),
    "bunny-48": lambda: orbit(48),
    "speckled-24": lambda: speckled(24),
    "off-centre-24": lambda: off_centre(24),
    "house-24": lambda: flight(24),
    "room-36": lambda: room(36),
    "turntable-300": lambda: turntable(300),
    "block-56": lambda: block(7, 8),
    "walk-100": lambda: walk(100),
    "walk-200": lambda: walk(200),
    "large-walk-200": lambda: large_walk(200),
    "walk-500": lambda: walk(500),
    "walk-1000": lambda: walk(1000),
}


def write(scene: Scene, folder: Path, threads: int, *, first: int = 0) -> None:
    """Render the photos of `scene` into `folder`, and then write the truth; those before `first` are there."""
    folder.mkdir(parents=True, exist_ok=True)
    subject = scene.painted()
    names = [f"{index:03d}.jpg" for index in range(len(scene.cameras))]

    def one(index: int) -> None:
        rendering.save(folder / names[index], rendering.photo(subject, scene.cameras[index], seed=index))

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(one, range(first, len(names))))
    np.savez(
        folder / TRUTH,
        vertices=scene.subject.vertices,
        faces=scene.subject.faces,
        photos=np.array(names),
        centres=np.stack([camera.centre for camera in scene.cameras]),
    )


def read_truth(folder: Path) -> Truth:
    """Return the truth that `write` wrote into `folder`."""
    with np.load(folder / TRUTH) as file:
        names = [str(name) for name in file["photos"]]
        return Truth(Mesh(file["vertices"], file["faces"]), names, file["centres"])


def _ring(subject: Mesh, reach: float, size: float, count: int, distance: float, *, aim_height: float) -> Scene:
    at = functools.partial(_around, distance, aim_height)
    paint = Paint(size=size, finest=distance / _FOCAL * 2)
    angles = 2 * np.pi * np.arange(count) / count
    between = angles + np.pi / count
    return Scene(subject, reach, paint, at(angles), at(between)[:: count // _HELD_OUT], at)


def _around(distance: float, aim_height: float, angles: Doubles, *, swing_deg: float = _SWING_DEG) -> list[Camera]:
    """Return cameras at these angles of a ring that rises and falls three times, by `swing_deg`."""
    elevations = np.radians(_ELEVATION_DEG + swing_deg * np.sin(3 * angles + 1.0))
    directions = np.stack(
        [np.cos(angles) * np.cos(elevations), np.sin(angles) * np.cos(elevations), np.sin(elevations)], axis=1
    )
    target = np.array([0.0, 0.0, aim_height])
    return [photographer(target + distance * direction, target) for direction in directions]


def photographer(eye: Doubles, target: Doubles, up: Doubles = _UP) -> Camera:
    """Return a camera of the scenes at `eye`, with `target` (3,) in the middle of its photo, and `up` upwards."""
    square = looking_at(eye, target, up, focal=_FOCAL, size=_WIDTH)
    return rendering.part(square, 0, (_WIDTH - _HEIGHT) // 2, _WIDTH, _HEIGHT)


def _turned(camera: Camera) -> Camera:
    """Return `camera`, held a quarter turn counter-clockwise, so that its picture is turned clockwise."""
    focal, column, row = camera.lens
    turn = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    lens = pinhole(focal, camera.height - 1 - row, column)
    return Camera(lens, turn @ camera.rotation, turn @ camera.translation, camera.height, camera.width)
