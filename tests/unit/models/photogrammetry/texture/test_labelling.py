from __future__ import annotations

import numpy as np
import pytest
from reconstruction_operator.models.photogrammetry.arrays import Singles
from reconstruction_operator.models.photogrammetry.surface.meshes import Mesh
from reconstruction_operator.models.photogrammetry.texture import labelling

from tests.support.engine.geometry import sheet

COUNT = 11  # vertices along a side of the sheet


@pytest.fixture
def mesh() -> Mesh:
    return sheet(COUNT)


def alike(mesh: Mesh, views: int) -> Singles:
    """Views that show the same colour everywhere."""
    return np.full((len(mesh.vertices), views, 3), 100, np.float32)


def test_each_half_takes_the_photo_that_sees_it_better(mesh: Mesh) -> None:
    x = mesh.vertices[:, 0]
    weights = np.stack([1.5 - x, 1.5 + x], axis=1).astype(np.float32)
    labels = labelling.choose(mesh, weights, alike(mesh, 2))
    middle = mesh.vertices[mesh.faces].mean(axis=1)[:, 0]
    assert (labels.face[middle < -0.3] == 0).all()
    assert (labels.face[middle > 0.3] == 1).all()


def test_a_face_with_a_slightly_better_photo_keeps_that_of_its_neighbours(mesh: Mesh) -> None:
    weights = np.full((len(mesh.vertices), 2), 1.0, np.float32)
    weights[:, 1] = 0.8
    weights[mesh.faces[len(mesh.faces) // 2]] = (0.8, 1.0)
    labels = labelling.choose(mesh, weights, alike(mesh, 2))
    assert (labels.face == 0).all()
    assert (labels.shares == [1.0, 0.0]).all()


def test_a_photo_of_another_object_is_not_used_even_if_it_sees_best(mesh: Mesh) -> None:
    weights = np.full((len(mesh.vertices), 4), 1.0, np.float32)
    weights[:, 3] = 1.2
    colours = alike(mesh, 4)
    passer_by = mesh.vertices[:, 0] > 0.1
    colours[passer_by, 3] = 200
    labels = labelling.choose(mesh, weights, colours)
    middle = mesh.vertices[mesh.faces].mean(axis=1)[:, 0]
    assert (labels.face[middle > 0.3] != 3).all()
    assert (labels.face[middle < -0.3] == 3).all()


def test_a_hidden_face_has_no_photo_and_a_half_hidden_one_has_one(mesh: Mesh) -> None:
    weights = np.zeros((len(mesh.vertices), 2), np.float32)
    weights[mesh.vertices[:, 0] < 0, 1] = 1.0
    labels = labelling.choose(mesh, weights, alike(mesh, 2))
    corners = mesh.vertices[mesh.faces][:, :, 0]
    assert (labels.face[corners.min(axis=1) >= 0] == -1).all()
    assert (labels.face[corners.min(axis=1) < 0] == 1).all()
    assert not labels.uses[:, 0].any()


def test_faces_on_both_sides_of_a_seam_use_both_photos_if_these_see_them(mesh: Mesh) -> None:
    x = mesh.vertices[:, 0]
    weights = np.stack([np.where(x < 0.25, 1.0, 0.0), np.where(x > -0.25, 1.0, 0.0)], axis=1).astype(np.float32)
    labels = labelling.choose(mesh, weights, alike(mesh, 2))
    both = labels.uses.all(axis=1)
    corners = mesh.vertices[mesh.faces][:, :, 0]
    assert both.any()
    assert corners[both].min() >= -0.25
    assert corners[both].max() <= 0.25
    assert labels.shares.sum(axis=1) == pytest.approx(np.ones(len(x)))


def test_a_photo_that_does_not_see_a_face_beside_its_seam_is_not_used_there(mesh: Mesh) -> None:
    x = mesh.vertices[:, 0]
    weights = np.stack([np.where(x < 0.1, 1.0, 0.0), np.where(x > -0.1, 1.0, 0.0)], axis=1).astype(np.float32)
    labels = labelling.choose(mesh, weights, alike(mesh, 2))
    assert (labels.shares > 0).all(axis=1).any()
    assert (labels.uses.sum(axis=1) == 1).all()
