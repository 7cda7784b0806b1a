"""Previews: pictures of the model from several sides, rendered on the CPU."""

from __future__ import annotations

import cv2
import numpy as np

from reconstruction_operator.models.photogrammetry.arrays import Doubles, Pixels, Singles
from reconstruction_operator.models.photogrammetry.output.glb import Textured
from reconstruction_operator.models.photogrammetry.sparse.cameras import Camera, looking_at
from reconstruction_operator.models.photogrammetry.surface.raycast import Caster
from reconstruction_operator.models.photogrammetry.texture.colour import sample

SIZE_PX = 512
COUNT = 4
_SUPERSAMPLING = 2
_FOCAL = 1.6  # of the picture's size: a mild telephoto lens
_MARGIN = 0.05  # of the picture's size, around the model
_ELEVATION_DEG = (18.0, 50.0)  # the elevation of the photos, clamped to this range
_ORBIT_GAP_DEG = 150.0  # with a larger gap the photos do not surround the object
_ARC_MARGIN_DEG = 12.0  # previews may be this far beyond the outermost photo
_BACKGROUND_TOP = np.array([250.0, 250.0, 252.0])
_BACKGROUND_BOTTOM = np.array([214.0, 218.0, 224.0])
_AMBIENT = 0.75  # photos contain light already: a little shading shows the shape
_DIRECT = 0.4
_BRIGHTEST = 235.0  # target for nearly the brightest part of the model ...
_BRIGHTEST_PERCENTILE = 97.0
_STRONGEST_GAIN = 1.4  # ... but dark objects stay dark
_LIGHT = np.array([0.35, 0.8, 0.5]) / np.linalg.norm([0.35, 0.8, 0.5])  # to the right, above, towards the viewer


def directions(camera_centres: Doubles) -> Doubles:
    """(COUNT, 3): unit vectors from the model to the viewer; `camera_centres` (n, 3) in model coordinates.

    All around the model if the photos surround it, else along the arc of the photos: elsewhere there is no surface.
    """
    azimuths = np.degrees(np.arctan2(camera_centres[:, 0], camera_centres[:, 2]))
    flat = np.hypot(camera_centres[:, 0], camera_centres[:, 2])
    elevation = float(np.clip(np.median(np.degrees(np.arctan2(camera_centres[:, 1], flat))), *_ELEVATION_DEG))
    ordered = np.sort(azimuths)
    gaps = np.diff(np.append(ordered, ordered[0] + 360.0))
    widest = int(gaps.argmax())
    if gaps[widest] < _ORBIT_GAP_DEG:
        chosen = azimuths[0] + np.arange(COUNT) * 360.0 / COUNT
    else:
        begin = ordered[(widest + 1) % len(ordered)]
        length = 360.0 - gaps[widest]
        chosen = begin + np.linspace(-_ARC_MARGIN_DEG, length + _ARC_MARGIN_DEG, COUNT)
    radians, up = np.radians(chosen), np.radians(elevation)
    return np.stack([np.sin(radians) * np.cos(up), np.full(COUNT, np.sin(up)), np.cos(radians) * np.cos(up)], axis=1)


def framed(points: Doubles, direction: Doubles) -> Camera:
    """The nearest camera along `direction` (unit) that has all `points` (n, 3) in the picture."""
    up = np.array([0.0, 1.0, 0.0])
    size = SIZE_PX * _SUPERSAMPLING
    focal = _FOCAL * size
    target = (points.max(axis=0) + points.min(axis=0)) / 2
    half = size * (0.5 - _MARGIN)
    for _ in range(3):  # centring the target changes the distance slightly, and the reverse
        camera = looking_at(target + direction, target, up, focal=focal, size=size)
        relative = (points - target) @ camera.rotation.T
        # A point at (x, y, z) from the target appears at focal * x / (distance + z).
        distance = float((focal * np.abs(relative[:, :2]) / half - relative[:, 2:]).max())
        camera = looking_at(target + direction * distance, target, up, focal=focal, size=size)
        pixels, _ = camera.project(points)
        middle = (pixels.max(axis=0) + pixels.min(axis=0)) / 2 - (size - 1) / 2
        target = target + (middle[0] * camera.rotation[0] + middle[1] * camera.rotation[1]) * distance / focal
    return camera


def render(model: Textured, caster: Caster, direction: Doubles) -> Pixels:
    """(SIZE_PX, SIZE_PX, 3) RGB of `model` seen from `direction`; `caster` holds its mesh."""
    camera = framed(model.mesh.vertices, direction)
    rays = camera.rays()
    hits = caster.cast(np.broadcast_to(camera.centre, rays.shape), rays)
    picture = _background(camera.height, camera.width)
    hit = hits.face >= 0
    corners = model.mesh.faces[hits.face[hit]]
    weights = hits.weights[hit]
    uv = np.einsum("nc,ncx->nx", weights, model.uv[corners])
    height, width = model.texture.shape[:2]
    colours = sample(model.texture, uv * np.array([width, height]) - 0.5)
    normals = np.einsum("nc,ncx->nx", weights, model.normals[corners])
    picture[hit] = colours * (_gain(model.texture) * _shade(normals, camera))[:, None]
    square = picture.reshape(camera.height, camera.width, 3)
    small = cv2.resize(square, (SIZE_PX, SIZE_PX), interpolation=cv2.INTER_AREA)
    return np.clip(np.rint(small), 0, 255).astype(np.uint8)


def _gain(texture: Pixels) -> float:
    """The brightness factor for a model whose photos were dark."""
    bright = float(np.percentile(texture.max(axis=2), _BRIGHTEST_PERCENTILE))
    return float(np.clip(_BRIGHTEST / max(bright, 1.0), 1.0, _STRONGEST_GAIN))


def _shade(normals: Doubles, camera: Camera) -> Singles:
    right, down, forward = camera.rotation
    light = _LIGHT[0] * right - _LIGHT[1] * down - _LIGHT[2] * forward
    lengths = np.maximum(np.linalg.norm(normals, axis=1), np.finfo(float).tiny)
    lit = np.clip(normals @ light / lengths, 0.0, 1.0)
    return np.asarray(_AMBIENT + _DIRECT * lit, dtype=np.float32)


def _background(height: int, width: int) -> Singles:
    """(height * width, 3): light grey, a little darker towards the bottom."""
    down = np.linspace(0.0, 1.0, height)[:, None]
    column = _BACKGROUND_TOP * (1.0 - down) + _BACKGROUND_BOTTOM * down
    return np.repeat(column, width, axis=0).astype(np.float32)
