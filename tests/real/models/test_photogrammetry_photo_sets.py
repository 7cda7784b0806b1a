"""Photogrammetry of photo sets that are small, mixed or too poor."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import trimesh
from PIL import ExifTags, Image

from tests.support.paths import DATA

if TYPE_CHECKING:
    from tests.real.models.conftest import Run

pytestmark = pytest.mark.timeout(900)

PHOTOS = DATA / "photos"


@pytest.mark.release  # three photos of one format: tests/real/operator/test_photogrammetry_jobs.py
def test_three_photos_of_mixed_formats_and_exif_rotation_are_enough(
    run: Callable[[Iterable[Path]], Run], tmp_path: Path
) -> None:
    lying = {ExifTags.Base.Orientation: 8}  # as a camera held upright writes it: to be turned by 90 degrees
    mixed = []
    for name, suffix, turned in (("01", "png", False), ("02", "webp", True), ("03", "tiff", False)):
        with Image.open(PHOTOS / "berlin" / f"{name}.jpg") as photo:
            exif = photo.getexif()
            stored = photo.transpose(Image.Transpose.ROTATE_270) if turned else photo
            exif.update(lying if turned else {})
            stored.save(tmp_path / f"{name}.{suffix}", exif=exif, quality=95)
        mixed.append(tmp_path / f"{name}.{suffix}")

    done = run(mixed)

    assert done.quality["registered"] == 3
    assert done.quality["faces"] > 10_000
    assert trimesh.load_mesh(done.output / "model_full.glb").extents[1] > 0.4  # the portal stands upright
