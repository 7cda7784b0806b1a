"""Previews: renders pictures of the model from several sides on the CPU."""

from __future__ import annotations

import cv2
import numpy as np

from reconstruction_operator.models.photogrammetry.arrays import Doubles, Mask, Pixels, Singles
from reconstruction_operator.models.photogrammetry.output.glb import Textured
from reconstruction_operator.models.photogrammetry.sparse.cameras import Camera, looking_at
from reconstruction_operator.models.photogrammetry.surface.meshes import Caster
from reconstruction_operator.models.photogrammetry.texture.colour import sample

SIZE_PX = 512
TURN_PX = 320
_SAMPLES = 768  # px of a picture before it is reduced to SIZE_PX
_TURN_SAMPLES = 480  # px of a picture before it is reduced to TURN_PX
_FOCAL = 1.6  # focal length as a multiple of the picture's size: a mild telephoto lens
_WIDE_FOCAL = 0.5  # the same inside a scene: four pictures of 90 degrees show everything around
_MARGIN = 0.05  # around the model, as a share of the picture's size
_ELEVATION_DEG = (18.0, 50.0)  # range to which the elevation of the photos is clamped
_ORBIT_GAP_DEG = 150.0  # with a larger gap, the photos do not surround the object
_ARC_MARGIN_DEG = 12.0  # previews may be at most this far beyond the outermost photo
_BACKGROUND_TOP = np.array([250.0, 250.0, 252.0])
_BACKGROUND_BOTTOM = np.array([214.0, 218.0, 224.0])
_BACK_GREY = 128.0  # of the backs of faces, which no photo shows
_UP = np.array([0.0, 1.0, 0.0])
_AMBIENT = 0.75  # photos already contain light, so a little shading is enough to show the shape
_DIRECT = 0.4
_BRIGHTEST = 235.0  # target for nearly the brightest part of the model
_BRIGHTEST_PERCENTILE = 97.0
_GAIN_STEP = 8  # texels
_STRONGEST_GAIN = 1.4  # dark objects stay dark
_LIGHT = np.array([0.35, 0.8, 0.5]) / np.linalg.norm([0.35, 0.8, 0.5])  # to the right, above, towards the viewer


def directions(camera_centres: Doubles, count: int) -> Doubles:
    """(count, 3): unit vectors from the model to the viewer; `camera_centres` (n, 3) are in model coordinates.

    They are all around the model if the photos surround it, and otherwise along the arc of the photos, since elsewhere
    there is no surface.
    """
    flat = np.hypot(camera_centres[:, 0], camera_centres[:, 2])
    elevation = float(np.clip(np.median(np.degrees(np.arctan2(camera_centres[:, 1], flat))), *_ELEVATION_DEG))
    begin, length = _arc(camera_centres)
    if surround(camera_centres):
        chosen = _azimuths(camera_centres)[0] + np.arange(count) * 360.0 / count
    else:
        chosen = begin + np.linspace(-_ARC_MARGIN_DEG, length + _ARC_MARGIN_DEG, count)
    radians = np.radians(chosen)
    up = np.radians(elevation)
    return np.stack([np.sin(radians) * np.cos(up), np.full(count, np.sin(up)), np.cos(radians) * np.cos(up)], axis=1)


def surround(camera_centres: Doubles) -> bool:
    """Return whether cameras at `camera_centres` (n, 3) surround the model."""
    return 360.0 - _arc(camera_centres)[1] < _ORBIT_GAP_DEG


def _arc(camera_centres: Doubles) -> tuple[float, float]:
    """Return the start and the length of the arc of the cameras, in degrees."""
    ordered = np.sort(_azimuths(camera_centres))
    gaps = np.diff(np.append(ordered, ordered[0] + 360.0))
    widest = int(gaps.argmax())
    return float(ordered[(widest + 1) % len(ordered)]), 360.0 - float(gaps[widest])


def _azimuths(camera_centres: Doubles) -> Doubles:
    return np.asarray(np.degrees(np.arctan2(camera_centres[:, 0], camera_centres[:, 2])))


def subject(points: Doubles, core: Mask) -> Doubles:
    """Return those of `points` (n, 3) in the `core` (n,) of what the photos show, and what is above and below it: all
    if it is empty.
    """
    if not core.any():
        return points
    low = points[core].min(axis=0)
    high = points[core].max(axis=0)
    column = ((points >= low) & (points <= high))[:, [0, 2]].all(axis=1)
    return np.asarray(points[column])


def framed(points: Doubles, direction: Doubles) -> Camera:
    """Return the nearest camera of SIZE_PX along `direction` (unit) whose picture contains all `points` (n, 3)."""
    size = _SAMPLES
    target = (points.max(axis=0) + points.min(axis=0)) / 2
    for _ in range(3):  # centring the target changes the distance slightly, and vice versa
        distance = _distance(points, target, direction, size)
        camera = _along(direction, target, distance, size)
        pixels, _ = camera.project(points)
        middle = (pixels.max(axis=0) + pixels.min(axis=0)) / 2 - (size - 1) / 2
        aside = middle[0] * camera.rotation[0] + middle[1] * camera.rotation[1]
        target = target + aside * distance / (_FOCAL * size)
    return camera


def around(points: Doubles, views: Doubles) -> list[Camera]:
    """Return a camera of TURN_PX for each direction in `views` (n, 3), all at the same distance, so that the model only
    turns.
    """
    size = _TURN_SAMPLES
    target = (points.max(axis=0) + points.min(axis=0)) / 2
    distance = max(_distance(points, target, direction, size) for direction in views)
    return [_along(direction, target, distance, size) for direction in views]


def from_inside(camera_centres: Doubles, count: int, *, moving: bool) -> list[Camera]:
    """Return `count` cameras amid `camera_centres` (n, 3) that look around the horizon; `moving`: of TURN_PX instead of
    SIZE_PX.
    """
    eye = np.median(camera_centres, axis=0)
    size = _TURN_SAMPLES if moving else _SAMPLES
    turns = 2 * np.pi * np.arange(count) / count
    ahead = np.stack([-np.sin(turns), np.zeros(count), -np.cos(turns)], axis=1)
    return [looking_at(eye, eye + direction, _UP, focal=_WIDE_FOCAL * size, size=size) for direction in ahead]


def _along(direction: Doubles, target: Doubles, distance: float, size: int) -> Camera:
    return looking_at(target + direction * distance, target, _UP, focal=_FOCAL * size, size=size)


def _distance(points: Doubles, target: Doubles, direction: Doubles, size: int) -> float:
    """Return the distance from `target` at which the picture contains all `points`."""
    relative = (points - target) @ _along(direction, target, 1.0, size).rotation.T
    half = size * (0.5 - _MARGIN)
    # A point at (x, y, z) from the target is projected to focal * x / (distance + z).
    return float((_FOCAL * size * np.abs(relative[:, :2]) / half - relative[:, 2:]).max())


def render(model: Textured, caster: Caster, camera: Camera, size: int = SIZE_PX) -> Pixels:
    """(size, size, 3): RGB picture of `model`, reduced from the larger picture of `camera`, so that
    edges are smooth.
    """
    rays, mesh = camera.rays(), model.mesh
    face, weights = caster.cast(np.broadcast_to(camera.centre, rays.shape), rays)
    hit = np.flatnonzero(face >= 0)
    face, weights = face[hit], weights[hit].astype(np.float32)
    height, width = model.texture.shape[:2]
    texels = model.uv * np.array([width, height]) - 0.5
    light = _gain(model.texture) * _shade(model.normals, camera)
    of_vertices = np.column_stack([texels, light]).astype(np.float32)
    of_pixels = np.einsum("nc,ncx->nx", weights, of_vertices[mesh.faces[face]])
    colours = sample(model.texture, of_pixels[:, :2])
    away = ((mesh.vertices[mesh.faces[:, 0]] - camera.centre) * mesh.face_normals()).sum(axis=1) > 0
    colours[away[face]] = _BACK_GREY
    rows = np.linspace(_BACKGROUND_TOP, _BACKGROUND_BOTTOM, camera.height)  # light grey, a little darker below
    picture = np.repeat(rows, camera.width, axis=0).astype(np.float32)
    picture[hit] = colours * of_pixels[:, 2:]
    square = picture.reshape(camera.height, camera.width, 3)
    small = cv2.resize(square, (size, size), interpolation=cv2.INTER_AREA)
    return np.clip(np.rint(small), 0, 255).astype(np.uint8)


def _gain(texture: Pixels) -> float:
    """Return the factor that brightens a model with dark photos."""
    sparse = texture[::_GAIN_STEP, ::_GAIN_STEP]
    bright = float(np.percentile(sparse.max(axis=2), _BRIGHTEST_PERCENTILE))
    return float(np.clip(_BRIGHTEST / max(bright, 1.0), 1.0, _STRONGEST_GAIN))


def _shade(normals: Doubles, camera: Camera) -> Singles:
    right, down, forward = camera.rotation
    light = _LIGHT[0] * right - _LIGHT[1] * down - _LIGHT[2] * forward
    lengths = np.maximum(np.linalg.norm(normals, axis=1), np.finfo(float).tiny)
    lit = np.clip(normals @ light / lengths, 0.0, 1.0)
    return np.asarray(_AMBIENT + _DIRECT * lit, dtype=np.float32)
