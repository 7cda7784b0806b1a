from __future__ import annotations

import numpy as np
import pytest
from reconstruction_operator.models.photogrammetry.surface.meshes import Mesh

from benchmarks.scenes import accuracy
from benchmarks.scenes.catalogue import Truth
from benchmarks.scenes.shapes import joined
from tests.support.engine.geometry import sphere

BALL = sphere(3)
MIDDLE = np.array([0.0, 0.0, 1.0])
TOLERANCES = (0.04, 0.01)  # of the diagonal: a sixteenth of the points that the benchmark's need
TRUTH = Truth(Mesh(BALL.vertices + MIDDLE, BALL.faces), (), np.zeros((0, 3)))


def scores(mesh: Mesh) -> list[accuracy.Score]:
    return accuracy.scores(mesh, TRUTH, TOLERANCES)


def moved(distance: float) -> Mesh:
    """Return the truth, `distance` diagonals larger."""
    larger = BALL.vertices * (1 + distance * TRUTH.diagonal)
    return Mesh(larger + MIDDLE, BALL.faces)


def test_the_truth_itself_scores_one() -> None:
    coarse, fine = scores(TRUTH.subject)
    assert (coarse.f, fine.f) == pytest.approx((1.0, 1.0), abs=1e-3)


def test_a_surface_off_by_half_the_tolerance_counts_and_by_twice_does_not() -> None:
    coarse, fine = scores(moved(0.02))
    assert (coarse.f, fine.f) == pytest.approx((1.0, 0.0), abs=0.03)
    assert scores(moved(0.08))[0].f == pytest.approx(0.0, abs=0.01)


def test_half_of_the_surface_is_precise_and_recalls_half() -> None:
    half = TRUTH.subject.with_faces(TRUTH.subject.vertices[TRUTH.subject.faces[:, 0], 0] > 0)
    score = scores(half)[1]
    assert (score.precision, score.recall) == pytest.approx((1.0, 0.5), abs=0.03)
    assert score.f == pytest.approx(0.667, abs=0.03)


def test_the_ground_beneath_the_subject_does_not_count() -> None:
    plate = Mesh(np.array([[-1.0, -1.0, 0.0], [1.0, -1.0, 0.0], [0.0, 1.0, 0.0]]), np.array([[0, 1, 2]]))
    both = joined(plate, TRUTH.subject)
    assert scores(both)[0].precision == pytest.approx(1.0, abs=0.01)
    assert scores(plate)[0].f == 0.0


def test_a_large_ground_around_the_subject_takes_no_points_from_it() -> None:
    around = Mesh(30 * np.array([[-1.0, -1.0, 0.0], [1.0, -1.0, 0.0], [0.0, 1.0, 0.0]]), np.array([[0, 1, 2]]))
    with_ground = joined(TRUTH.subject, around)
    assert [score.f for score in scores(with_ground)] == pytest.approx([1.0, 1.0], abs=1e-3)
