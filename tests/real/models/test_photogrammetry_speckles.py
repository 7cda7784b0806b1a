"""Photogrammetry of an object with fine, saturated speckles: detail and colours that a careless texture or surface
would lose.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from benchmarks.scenes import accuracy, catalogue, likeness, results

if TYPE_CHECKING:
    from tests.real.models.conftest import Run

pytestmark = [pytest.mark.release, pytest.mark.timeout(1800)]


def test_a_textured_mesh_is_sharp_and_fits_the_object(run: Callable[[Iterable[Path]], Run], tmp_path: Path) -> None:
    scene = catalogue.SCENES["speckled-24"]()
    photos = tmp_path / "photos"
    catalogue.write(scene, photos, os.cpu_count() or 1)

    done = run(sorted(photos.glob("*.jpg")))

    truth = catalogue.read_truth(photos)
    placed = results.Placed(done.output, truth)
    _, finely = accuracy.scores(placed.mesh("model_full.glb")[0], truth)
    _, similarity = likeness.likeness(*placed.mesh("model.glb"), scene)
    assert done.quality["unused"] == 0
    assert finely.f > 0.975  # 0.972 without refinement
    assert similarity > 0.92  # 0.903 with two JPEGs between photo and texel, and 24,000 triangles
