from __future__ import annotations

import numpy as np
import pytest
from reconstruction_operator.models.photogrammetry.sparse.cameras import Camera, looking_at
from reconstruction_operator.models.photogrammetry.surface import regions

UP = np.array([0.0, 1.0, 0.0])


def orbit(count: int, around: tuple[float, float, float] = (1.0, 0.0, 2.0), arc_deg: float = 360.0) -> list[Camera]:
    target = np.array(around)
    angles = np.radians(np.linspace(0.0, arc_deg, count, endpoint=False))
    return [
        looking_at(target + np.array([4 * np.sin(angle), 1.0, 4 * np.cos(angle)]), target, UP, focal=500.0, size=401)
        for angle in angles
    ]


def test_cameras_around_an_object_converge_on_it() -> None:
    assert regions.point_of_convergence(orbit(8)) == pytest.approx([1.0, 0.0, 2.0])


def test_parallel_cameras_have_no_region_of_interest() -> None:
    flight = [
        looking_at(np.array([x, 0.0, 0.0]), np.array([x, 0.0, 9.0]), UP, focal=500.0, size=401) for x in (0, 1, 2.0)
    ]
    assert regions.point_of_convergence(flight) is None
    assert regions.of_interest(flight, np.zeros((1, 3))) is None


def test_room_around_a_point_is_the_largest_ball_in_the_photo() -> None:
    camera = looking_at(np.array([0.0, 0.0, 5.0]), np.zeros(3), UP, focal=500.0, size=401)
    assert regions.room_around(camera, np.zeros(3)) == pytest.approx(5.0 * np.sin(np.arctan(200 / 500)))
    assert regions.room_around(camera, np.array([4.0, 0.0, 0.0])) < 0


def test_region_of_interest_is_what_half_of_the_photos_show_whole() -> None:
    cameras = orbit(8)
    points = np.array([1.0, 0.0, 2.0]) + np.random.default_rng(0).normal(size=(500, 3)) * 0.2
    ball = regions.of_interest(cameras, points)
    assert ball is not None
    assert ball.contains(points).all()
    assert not ball.contains(points + 3.0).any()


def test_ball_with_few_points_is_not_the_region_of_interest() -> None:
    assert regions.of_interest(orbit(8), np.full((100, 3), 50.0)) is None
