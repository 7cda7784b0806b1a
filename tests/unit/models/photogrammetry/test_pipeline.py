"""Stages between the surface and the model. Whole runs on photos are in tests/real/models."""

from __future__ import annotations

import numpy as np
import pytest
from reconstruction_operator.models.interface import ModelFailure, Step
from reconstruction_operator.models.photogrammetry import pipeline
from reconstruction_operator.models.photogrammetry.progress import StageProgress
from reconstruction_operator.models.photogrammetry.surface.meshes import Mesh
from reconstruction_operator.models.photogrammetry.surface.regions import Ball, Region

from tests.support.engine.geometry import QUIET, sphere

CELL = 0.1


def joined(*meshes: Mesh) -> Mesh:
    offsets = np.cumsum([0, *(len(one.vertices) for one in meshes)])
    faces = [one.faces + offset for one, offset in zip(meshes, offsets, strict=False)]
    return Mesh(np.concatenate([one.vertices for one in meshes]), np.concatenate(faces))


def moved(mesh: Mesh, x: float) -> Mesh:
    return Mesh(mesh.vertices + np.array([x, 0.0, 0.0]), mesh.faces)


def test_the_surface_is_reduced_to_the_faces_that_the_quality_allows() -> None:
    rough = sphere()
    mesh = pipeline._cleaned(rough, rough.vertices, CELL, None, 1000, progress=QUIET)
    assert 900 <= len(mesh.faces) <= 1000
    assert np.linalg.norm(mesh.vertices, axis=1) == pytest.approx(np.ones(len(mesh.vertices)), abs=0.05)


def test_what_lies_outside_the_region_or_apart_is_left_out() -> None:
    whole = joined(sphere(), moved(sphere(1, 0.1), 1.5), moved(sphere(4), 30.0))
    mesh = pipeline._cleaned(
        whole,
        whole.vertices,
        CELL,
        Region(Ball(np.zeros(3), 10.0), Ball(np.zeros(3), 10.0), (), 0, about_core=True),
        len(whole.faces),
        progress=QUIET,
    )
    assert np.abs(mesh.vertices).max() < 1.1


def test_a_surface_without_points_near_it_is_refused_with_advice() -> None:
    far = np.array([[50.0, 50.0, 50.0]])
    with pytest.raises(ModelFailure, match=r"NO_DENSE_SURFACE: only 0 faces of the surface rest on the photos"):
        pipeline._cleaned(sphere(), far, CELL, None, 1000, progress=QUIET)


def test_each_stage_of_the_cleaning_is_reported() -> None:
    heard: list[tuple[float, str]] = []
    progress = StageProgress(lambda _, fraction, text="": heard.append((fraction, text)), Step.POSTPROCESS)
    rough = sphere()
    mesh = pipeline._cleaned(rough, rough.vertices, CELL, None, 1000, progress=progress)
    assert [fraction for fraction, _ in heard] == [0.0, 0.4, 0.6, 0.8, 1.0]
    assert heard[-1][1] == f"{len(mesh.faces)} faces"
