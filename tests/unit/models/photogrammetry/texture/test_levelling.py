from __future__ import annotations

import numpy as np
import pytest
from reconstruction_operator.models.photogrammetry.texture import labelling, levelling

from tests.support.engine.geometry import sheet


def test_gains_undo_the_exposure_and_the_tint_of_each_photo() -> None:
    rng = np.random.default_rng(0)
    true = rng.uniform(40, 120, (500, 1, 3))
    factors = np.array([[1.0, 1.0, 1.0], [1.3, 1.2, 1.1], [0.8, 0.8, 0.9]])
    seen = rng.random((500, 3)) < 0.7
    colours = np.where(seen[:, :, None], true * factors, 0).astype(np.float32)
    levelled = factors * levelling.gains(colours, seen)
    assert levelled / levelled[0] == pytest.approx(np.ones((3, 3)), rel=0.03)
    assert np.log(levelling.gains(colours, seen)).sum(axis=0) == pytest.approx(np.zeros(3), abs=1e-5)


def test_photos_with_too_little_in_common_keep_their_colours() -> None:
    seen = np.zeros((100, 2), dtype=bool)
    seen[:52, 0] = seen[48:, 1] = True
    colours = np.where(seen[:, :, None], np.array([60.0, 120.0])[None, :, None], 0).astype(np.float32)
    assert levelling.gains(np.repeat(colours, 3, axis=2)[:, :, :3], seen) == pytest.approx(np.ones((2, 3)))


def test_offsets_let_two_patches_meet_without_a_step() -> None:
    mesh = sheet(21)
    x = mesh.vertices[:, 0]
    weights = np.stack([1.5 - x, 1.5 + x], axis=1).astype(np.float32)
    colours = np.zeros((len(x), 2, 3), np.float32)
    colours[:, 0], colours[:, 1] = 100, 130
    labels = labelling.choose(mesh, weights, np.full_like(colours, 100))
    levelled = colours + levelling.offsets(mesh, labels, colours)
    seam = (labels.shares > 0).all(axis=1)
    assert seam.any()
    assert levelled[seam, 0] == pytest.approx(levelled[seam, 1], abs=1.5)
    blended = np.einsum("nv,nvc->nc", labels.shares, levelled)[:, 0]
    rows = blended.reshape(21, 21)
    assert np.abs(np.diff(rows, axis=1)).max() < 3.0  # of 30
    assert blended.mean() == pytest.approx(115, abs=2)


def test_a_mesh_that_no_photo_sees_needs_no_offsets() -> None:
    mesh = sheet(5)
    colours = np.zeros((len(mesh.vertices), 2, 3), np.float32)
    labels = labelling.choose(mesh, np.zeros((len(mesh.vertices), 2), np.float32), colours)
    assert (levelling.offsets(mesh, labels, colours) == 0).all()
