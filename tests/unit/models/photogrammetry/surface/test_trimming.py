"""Trimming: what of a fitted surface rests on points and photos."""

from __future__ import annotations

import numpy as np
import pytest
from reconstruction_operator.models.interface import ModelFailure
from reconstruction_operator.models.photogrammetry.arrays import Doubles
from reconstruction_operator.models.photogrammetry.surface import trimming
from reconstruction_operator.models.photogrammetry.surface.meshes import Mesh
from reconstruction_operator.models.photogrammetry.surface.regions import Ball, Region
from reconstruction_operator.models.photogrammetry.surface.surface import Samples

from tests.support.engine.geometry import QUIET, joined, sphere


def moved(mesh: Mesh, x: float) -> Mesh:
    return Mesh(mesh.vertices + np.array([x, 0.0, 0.0]), mesh.faces)


def samples(points: Doubles) -> Samples:
    return Samples(points, np.zeros_like(points), 0.1, 8, points, len(points))


def test_parts_outside_the_region_or_apart_are_removed() -> None:
    whole = joined(sphere(), moved(sphere(1, 0.1), 1.5), moved(sphere(4), 30.0))
    region = Region(Ball(np.zeros(3), 10.0), Ball(np.zeros(3), 10.0), (), 0, about_core=True)
    mesh = trimming.trimmed(whole, samples(whole.vertices), region, [], QUIET)
    assert np.abs(mesh.vertices).max() < 1.1


def test_a_surface_without_points_near_it_is_refused_with_advice() -> None:
    far = np.array([[50.0, 50.0, 50.0]])
    with pytest.raises(ModelFailure, match=r"NO_DENSE_SURFACE: only 0 faces of the surface rest on the photos"):
        trimming.trimmed(sphere(), samples(far), Region.everywhere(), [], QUIET)


def test_a_gap_without_points_is_named_as_closed() -> None:
    high = sphere().vertices[:, 1] > 0.5
    closed = trimming.closed(sphere(), samples(sphere().vertices[~high]), Region.everywhere())
    assert closed[sphere().vertices[:, 1] > 0.85].all()
    assert not closed[~high].any()
