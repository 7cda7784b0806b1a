"""Photogrammetry of the example photos: a bunch of bananas on a carpet, from all sides."""

from __future__ import annotations

from itertools import dropwhile
from operator import not_
from typing import TYPE_CHECKING

import numpy as np
import pytest
import trimesh
from PIL import Image
from reconstruction_operator.models.interface import Step
from reconstruction_operator.models.photogrammetry.model import PhotogrammetryModel
from reconstruction_operator.worker.attempt.steps import fraction_of_run

if TYPE_CHECKING:
    from tests.real.models.conftest import Run

pytestmark = [pytest.mark.release, pytest.mark.timeout(1800)]


def test_nearly_all_photos_are_aligned_within_a_pixel(banana: Run) -> None:
    assert banana.quality["images"] == 12
    assert banana.quality["registered"] >= 11
    assert 0 < banana.quality["reprojectionErrorPx"] < 1
    assert banana.quality["sparsePoints"] > 1500


def test_surface_is_dense_and_texture_coverage_is_high(banana: Run) -> None:
    assert banana.quality["densePoints"] > 50_000  # one for each cell
    assert 40_000 < banana.quality["faces"] <= 80_000
    assert banana.quality["textureCoverage"] > 0.85


@pytest.mark.parametrize("name", ["model_full.glb", "model.glb"])
def test_model_file_is_centred_and_has_the_proportions_of_bananas(banana: Run, name: str) -> None:
    mesh = trimesh.load_mesh(banana.output / name)
    width, height, depth = mesh.extents
    assert max(width, depth) == pytest.approx(1.0, abs=0.02)
    assert min(width, depth) > 0.6  # the carpet around them
    assert 0.15 < height < 0.5  # a bunch of bananas, lying, is about half as high as it is long
    assert mesh.bounds.sum(axis=0) == pytest.approx([0.0, 0.0, 0.0], abs=0.05)


def test_the_carpet_is_level_and_lies_below_the_bananas(banana: Run) -> None:
    mesh = trimesh.load_mesh(banana.output / "model_full.glb")
    rim = np.linalg.norm(mesh.vertices[:, [0, 2]], axis=1) > 0.42
    lowest, median = np.percentile(mesh.vertices[rim, 1], [5, 50])  # above the rim there are tips of bananas
    assert median - lowest < 0.03
    assert median < -0.05


def test_bananas_are_yellow_and_the_carpet_is_grey(banana: Run) -> None:
    mesh = trimesh.load_mesh(banana.output / "model_full.glb", process=False, skip_materials=True)
    red, green, blue = 255 * (np.asarray(mesh.visual.vertex_colors)[:, :3].T / 255) ** (1 / 2.2)  # linear in the file
    high = mesh.vertices[:, 1] > 0
    low = mesh.vertices[:, 1] < np.percentile(mesh.vertices[:, 1], 10)
    assert np.median((red + green)[high] / 2 - blue[high]) > 50
    assert abs(np.median((red + green)[low] / 2 - blue[low])) < 30


def test_the_texture_is_square_and_in_use(banana: Run) -> None:
    mesh = trimesh.load_mesh(banana.output / "model.glb")
    texture = mesh.visual.material.baseColorTexture
    assert texture.size == (2048, 2048)
    assert np.asarray(texture.convert("RGB")).std() > 15
    assert 0 <= mesh.visual.uv.min() <= mesh.visual.uv.max() <= 1


def test_the_previews_show_the_model_from_four_sides(banana: Run) -> None:
    pictures = []
    for index in range(4):
        with Image.open(banana.output / f"preview_{index}.png") as image:
            pictures.append(np.asarray(image.convert("RGB")).astype(float))
    for picture in pictures:
        assert picture.shape == (512, 512, 3)
        yellow = (picture[:, :, :2].mean(axis=2) - picture[:, :, 2]) > 50
        least = 0.02 if picture is pictures[0] else 0.03  # the first one shows all of the carpet
        assert least < yellow.mean() < 0.6
        rows, columns = np.nonzero(np.abs(picture - picture[:, :1]).max(axis=2) > 20)
        assert max(np.ptp(rows), np.ptp(columns)) > 0.8 * 512  # fills the picture
    assert min(np.abs(pictures[0] - other).mean() for other in pictures[1:]) > 5


def test_progress_rises_through_the_steps_in_small_increments(banana: Run) -> None:
    places = [(step, fraction) for step, fraction, _ in banana.reports]
    assert places == sorted(places)
    assert {step for step, _ in places} == {Step.PREPROCESS, Step.RECONSTRUCT, Step.POSTPROCESS, Step.PREVIEW}
    for step in (Step.PREPROCESS, Step.RECONSTRUCT, Step.POSTPROCESS, Step.PREVIEW):
        fractions = [0.0, *(fraction for at, fraction in places if at is step)]
        assert fractions[-1] == pytest.approx(1.0)
        messages = [message for at, _, message in banana.reports if at is step]
        assert messages[-1]
        assert all(dropwhile(not_, messages))  # time may pass before the first stage of a step has a message
    percents = [100 * fraction_of_run(PhotogrammetryModel.step_shares, step, fraction) for step, fraction in places]
    assert max(np.diff([0.0, *percents])) < 25  # a busy machine's pace is learned within a step, whose rest then jumps
