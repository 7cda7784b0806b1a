"""Still backgrounds: that of a turntable is found, and other sets of photos have none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from reconstruction_operator.models.interface import mask_of
from reconstruction_operator.models.photogrammetry.arrays import Singles
from reconstruction_operator.models.photogrammetry.input import backgrounds
from reconstruction_operator.models.photogrammetry.input.photos import PreparedPhoto

HEIGHT, WIDTH, COUNT = 240, 320, 12


def noise(seed: int, width: int = WIDTH) -> Singles:
    """A picture with texture."""
    small = np.random.default_rng(seed).uniform(0, 255, (HEIGHT // 8, width // 8)).astype(np.float32)
    return np.asarray(cv2.resize(small, (width, HEIGHT), interpolation=cv2.INTER_CUBIC), dtype=np.float32)


def disc() -> Singles:
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    return ((rows - 120) ** 2 + (columns - 160) ** 2 < 60**2).astype(np.float32)


def turntable(index: int) -> Singles:
    """A disc that turns before a still background, and noise of the sensor."""
    turn = cv2.getRotationMatrix2D((160, 120), 30 * index, 1.0)
    turned = cv2.warpAffine(noise(1), turn, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REFLECT)
    sensor = np.random.default_rng(index).normal(0, 2, (HEIGHT, WIDTH))
    return np.asarray(noise(0) * (1 - disc()) + turned * disc() + sensor, dtype=np.float32)


def walk(index: int) -> Singles:
    """The camera moves: everything changes."""
    return noise(0, WIDTH * 2)[:, 24 * index : 24 * index + WIDTH]


def same(index: int) -> Singles:
    """Neither the camera nor the scene moves."""
    return noise(0) + np.random.default_rng(index).normal(0, 2, (HEIGHT, WIDTH)).astype(np.float32)


def studio(index: int) -> Singles:
    """A turntable before a plain wall, which needs no mask."""
    return turntable(index) * disc() + 230 * (1 - disc())


def photos(folder: Path, take: Callable[[int], Singles]) -> list[PreparedPhoto]:
    prepared = []
    for index in range(COUNT):
        name = f"{index:04d}.jpg"
        Image.fromarray(np.clip(take(index), 0, 255).astype(np.uint8)).save(folder / name, quality=95)
        prepared.append(PreparedPhoto(name, name, WIDTH, HEIGHT, None, "one"))
    return prepared


def test_the_still_background_of_a_turntable_is_masked(tmp_path: Path) -> None:
    masked = backgrounds.masked(photos(tmp_path, turntable), tmp_path)
    assert all(photo.mask for photo in masked)
    for photo in masked:
        with Image.open(tmp_path / mask_of(photo.name)) as mask:
            visible = np.asarray(mask) > 0
        assert visible[disc() > 0].mean() > 0.98
        assert visible[disc() == 0].mean() < 0.15


@pytest.mark.parametrize("take", [walk, same, studio])
def test_photos_without_a_still_background_are_unchanged(take: Callable[[int], Singles], tmp_path: Path) -> None:
    prepared = photos(tmp_path, take)
    assert backgrounds.masked(prepared, tmp_path) == prepared
    assert not (tmp_path / mask_of(prepared[0].name)).exists()


def test_few_photos_and_photos_of_several_sizes_are_unchanged(tmp_path: Path) -> None:
    prepared = photos(tmp_path, turntable)
    assert backgrounds.masked(prepared[:5], tmp_path) == prepared[:5]
    odd = [*prepared[:-1], PreparedPhoto("0011.jpg", "0011.jpg", HEIGHT, WIDTH, None, "one")]
    assert backgrounds.masked(odd, tmp_path) == odd
