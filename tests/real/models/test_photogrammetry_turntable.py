"""Photogrammetry of a turntable before a patterned wall, which looks the same in every photo, as if nothing moved."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from reconstruction_operator.models.photogrammetry.arrays import Singles
from reconstruction_operator.models.photogrammetry.sparse.cameras import looking_at

from benchmarks.scenes import rendering, shapes
from benchmarks.scenes.paint import Paint

if TYPE_CHECKING:
    from tests.real.models.conftest import Run

pytestmark = [pytest.mark.release, pytest.mark.timeout(1800)]

PHOTOS, SIZE, FOCAL, DISTANCE = 20, 800, 1300.0, 4.0


def wall() -> Singles:
    blocks = np.random.default_rng(0).uniform(0, 255, (SIZE // 16, SIZE // 16, 3)).astype(np.float32)
    return np.asarray(cv2.resize(blocks, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC), dtype=np.float32)


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    subject = rendering.Subject.of(shapes.bunny(), Paint(size=0.4, finest=DISTANCE / FOCAL * 2))
    target = subject.mesh.vertices.mean(axis=0)
    taken = []
    for index in range(PHOTOS):
        angle = 2 * np.pi * index / PHOTOS
        eye = target + DISTANCE * np.array([np.cos(angle) * 0.9, np.sin(angle) * 0.9, 0.43])
        camera = looking_at(eye, target, np.array([0.0, 0.0, 1.0]), focal=FOCAL, size=SIZE)
        rays = camera.rays()
        face, _ = subject.caster.cast(np.broadcast_to(camera.centre, rays.shape), rays)
        hit = (face >= 0).reshape(SIZE, SIZE, 1)
        picture = np.where(hit, rendering.photo(subject, camera, seed=index), np.clip(wall(), 0, 255))
        taken.append(tmp_path / f"{index:02d}.jpg")
        rendering.save(taken[-1], picture.astype(np.uint8))
    return taken


def test_the_object_on_a_turntable_is_aligned_and_the_wall_is_not_in_the_model(
    run: Callable[[Iterable[Path]], Run], photos: list[Path]
) -> None:
    done = run(photos)
    assert int(done.quality["registered"]) >= PHOTOS - 1
    assert float(done.quality["textureCoverage"]) > 0.9
    assert max(float(done.quality[f"extent{axis}"]) for axis in "XYZ") == 1.0
    assert min(float(done.quality[f"extent{axis}"]) for axis in "XYZ") > 0.5  # a bunny, and no wall behind it
