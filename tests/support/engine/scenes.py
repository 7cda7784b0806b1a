"""Scenes: computed photos of textured planes, of a box or of the ground around a camera that only turns."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from reconstruction_operator.models.photogrammetry.arrays import Doubles, Pixels
from reconstruction_operator.models.photogrammetry.sparse.cameras import Camera, looking_at

UP: Final = np.array([0.0, 1.0, 0.0])
_TEXELS: Final = 512


@lru_cache(maxsize=64)
def texture(seed: int) -> Pixels:
    """Return noise (512, 512) at several scales, which has features at any distance."""
    random = np.random.default_rng(seed)
    total = np.zeros((_TEXELS, _TEXELS))
    for cells in (16, 64, 128):
        noise = random.uniform(-1.0, 1.0, (cells, cells))
        total += cv2.resize(noise, (_TEXELS, _TEXELS), interpolation=cv2.INTER_CUBIC)
    return np.clip(128 + 60 * total, 0, 255).astype(np.uint8)


def noise(seed: int, width: int, height: int) -> Pixels:
    """Return noise of 4 px, blurred, in which features are found."""
    small = np.random.default_rng(seed).integers(0, 256, (height // 4, width // 4), np.uint8)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC), dtype=np.uint8)


def around(
    count: int, *, arc_deg: float = 120.0, height: float = 2.0, radius: float = 5.0, size: int = 400
) -> list[Camera]:
    """Return cameras on an arc that look at 0, with a level horizon."""
    turns = np.radians(np.linspace(0.0, arc_deg, count))
    eyes = [np.array([radius * np.sin(turn), height, radius * np.cos(turn)]) for turn in turns]
    return [looking_at(eye, np.zeros(3), UP, focal=1.2 * size, size=size) for eye in eyes]


def turning(count: int, *, step_deg: float = 8.0, size: int = 400) -> list[Camera]:
    """Return cameras at one place above a large ground, each turned a step further than the previous one."""
    eye = np.array([0.0, 3.0, 0.0])
    turns = np.radians(step_deg * np.arange(count))
    aims = [eye + np.array([np.sin(turn), -0.4, np.cos(turn)]) for turn in turns]
    return [looking_at(eye, aim, UP, focal=1.2 * size, size=size) for aim in aims]


def box_photo(camera: Camera, seed: int, side: float = 2.0) -> Pixels:
    """Return a photo of a box with that side around 0, each face with its own texture, before grey."""
    picture = np.full((camera.height, camera.width), 128, np.uint8)
    for number, (corners, normal) in enumerate(_faces(side / 2)):
        if normal @ (camera.centre - corners.mean(axis=0)) > 0:
            _paint(picture, camera, corners, texture(10 * seed + number))
    return picture


def ground_photo(camera: Camera, seed: int) -> Pixels:
    """Return a photo of 8 x 8 tiles of the ground around the camera, each with its own texture."""
    picture = np.full((camera.height, camera.width), 200, np.uint8)
    for number, (column, row) in enumerate(np.ndindex(8, 8)):
        x, z = 4.0 * (column - 4), 4.0 * (row - 4)
        corners = np.array([[x, 0.0, z], [x + 4, 0.0, z], [x + 4, 0.0, z + 4], [x, 0.0, z + 4]])
        if (camera.project(corners)[1] > 0.1).all():
            _paint(picture, camera, corners, texture(1000 * seed + number))
    return picture


def save(folder: Path, photos: list[Pixels], first: int = 0) -> list[Path]:
    """Write the photos as JPEGs, named by numbers from `first` on, and return the paths."""
    folder.mkdir(exist_ok=True)
    paths = [folder / f"{first + number:02}.jpg" for number in range(len(photos))]
    random = np.random.default_rng(first)
    for path, photo in zip(paths, photos, strict=True):
        noisy = photo + random.normal(0.0, 2.0, photo.shape)
        cv2.imwrite(str(path), np.clip(noisy, 0, 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, 95])
    return paths


def _faces(half: float) -> Iterator[tuple[Doubles, Doubles]]:
    """Yield corners and outward normal of each face of a box."""
    for axis in range(3):
        for sign in (-1.0, 1.0):
            corners = np.zeros((4, 3))
            corners[:, axis] = sign * half
            corners[:, (axis + 1) % 3] = np.array([-1, 1, 1, -1]) * half
            corners[:, (axis + 2) % 3] = np.array([-1, -1, 1, 1]) * half
            normal = np.zeros(3)
            normal[axis] = sign
            yield corners, normal


def _paint(picture: Pixels, camera: Camera, corners: Doubles, face: Pixels) -> None:
    pixels, _ = camera.project(corners)
    last = _TEXELS - 1
    source = np.array([[0, 0], [last, 0], [last, last], [0, last]], dtype=np.float32)
    across = cv2.getPerspectiveTransform(source, pixels.astype(np.float32))
    size = (camera.width, camera.height)
    drawn = cv2.warpPerspective(face, across, size, flags=cv2.INTER_AREA)
    covered = cv2.warpPerspective(np.full_like(face, 255), across, size, flags=cv2.INTER_NEAREST) > 0
    picture[covered] = drawn[covered]
