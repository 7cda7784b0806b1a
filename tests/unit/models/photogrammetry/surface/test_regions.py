from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from reconstruction_operator.models.photogrammetry.arrays import Doubles
from reconstruction_operator.models.photogrammetry.sparse.cameras import Camera, looking_at
from reconstruction_operator.models.photogrammetry.surface import regions
from reconstruction_operator.models.photogrammetry.surface.regions import Region

from tests.support.engine import scenes


def orbit(count: int, around: tuple[float, float, float] = (1.0, 0.0, 2.0), arc_deg: float = 360.0) -> list[Camera]:
    target = np.array(around)
    angles = np.radians(np.linspace(0.0, arc_deg, count, endpoint=False))
    return [
        looking_at(
            target + np.array([4 * np.sin(angle), 1.0, 4 * np.cos(angle)]), target, scenes.UP, focal=500.0, size=401
        )
        for angle in angles
    ]


def test_parallel_cameras_have_no_region_of_interest() -> None:
    flight = [
        looking_at(np.array([x, 0.0, 0.0]), np.array([x, 0.0, 9.0]), scenes.UP, focal=500.0, size=401)
        for x in (0, 1, 2.0)
    ]
    assert regions.point_of_convergence(flight) is None
    assert is_everywhere(regions.of_interest(flight, np.zeros((1, 3))))


def test_room_around_a_point_is_the_largest_ball_in_the_photo() -> None:
    camera = looking_at(np.array([0.0, 0.0, 5.0]), np.zeros(3), scenes.UP, focal=500.0, size=401)
    assert regions.room_around(camera, np.zeros(3)) == pytest.approx(5.0 * np.sin(np.arctan(200 / 500)))
    assert regions.room_around(camera, np.array([4.0, 0.0, 0.0])) < 0


def is_everywhere(region: Region) -> bool:
    """Whether the region has no limits, and the same detail everywhere."""
    far = np.array([[0.0, 0.0, 0.0], [1e9, -1e9, 1e9]])
    alike = region.coarseness(far).tolist() == [1.0, 1.0]
    return bool(region.contains(far, 1.1).all()) and alike and (region.doublings, region.pixel) == (0, 0.0)


def cloud(radius: float) -> Doubles:
    """Random points around the target of the cameras."""
    return np.random.default_rng(0).uniform(-radius, radius, (5000, 3)) + np.array([1.0, 0.0, 2.0])


def test_the_region_is_what_three_photos_show_and_not_a_ball() -> None:
    region = regions.of_interest(orbit(8), cloud(3.0))
    assert region.ball.centre == pytest.approx([1.0, 0.0, 2.0])
    assert regions.of_interest(orbit(4, arc_deg=60.0), cloud(0.5)).fewest == 2  # in a small set
    around = np.radians(np.arange(0.0, 360.0, 45.0))
    level = np.stack([1.0 + 1.7 * np.sin(around), 0.0 * around, 2.0 + 1.7 * np.cos(around)], axis=1)
    assert region.contains(level).all()
    above = np.array([[1.0, 1.9, 2.0]])
    assert np.linalg.norm(above - region.ball.centre) < region.ball.radius
    assert not region.contains(above).any()  # above what most photos show
    few = replace(region, cameras=region.cameras[:2])
    assert not few.contains(level).any()


def test_the_far_background_is_not_of_interest() -> None:
    backdrop = np.array([[1.0, 0.0, -9.0]])
    region = regions.of_interest(orbit(8, arc_deg=90.0), np.concatenate([cloud(1.0), backdrop]))
    assert sum(camera.project(backdrop)[1][0] > 0 for camera in region.cameras) == 8
    assert not region.contains(backdrop).any()


def test_the_region_reaches_no_farther_than_its_points_and_the_cameras() -> None:
    cameras = orbit(8)
    ground = cloud(5.0) * [1.0, 0.0, 1.0]
    small = regions.of_interest(cameras, cloud(0.3))
    large = regions.of_interest(cameras, ground)
    assert small.ball.radius < 0.6
    assert 3.0 < large.ball.radius <= np.hypot(4.0, 1.0)


def test_details_are_larger_around_the_core() -> None:
    region = regions.of_interest(orbit(8), cloud(5.0) * [1.0, 0.0, 1.0])
    core = region.core.radius
    assert 2 * core < region.ball.radius
    places = region.core.centre + np.array([[0.9, 0.0, 0.0], [0.0, 1.9, 0.0], [0.0, 0.0, 3.0]]) * core
    assert region.coarseness(places).tolist() == [1.0, 2.0, 4.0]
    narrow = replace(region, ball=replace(region.core, radius=1.2 * core))
    assert narrow.coarseness(places).tolist() == [1.0, 1.0, 1.0]


def test_details_along_a_wall_have_one_size() -> None:
    angles = np.radians(np.arange(0.0, 360.0, 5.0))
    outwards = np.stack([np.sin(angles), 0.0 * angles, np.cos(angles)], axis=1)
    walk = [looking_at(9.0 * out, np.zeros(3), scenes.UP, focal=500.0, size=401) for out in outwards]
    wall = np.concatenate([6.0 * outwards + [0.0, height, 0.0] for height in (-0.5, 0.0, 0.5)])
    region = regions.of_interest(walk, wall)
    assert region.doublings > 0
    assert region.contains(wall).all()
    assert region.coarseness(wall).tolist() == [1.0] * len(wall)


def test_a_region_with_few_points_is_not_of_interest() -> None:
    assert is_everywhere(regions.of_interest(orbit(8), np.full((100, 3), 50.0)))


def test_cameras_are_inside_a_scene_as_far_from_the_middle_as_they_are() -> None:
    angles = np.radians(np.arange(0.0, 360.0, 5.0))
    walls = np.stack([1.0 + 4.2 * np.sin(angles), 0.0 * angles, 2.0 + 4.2 * np.cos(angles)], axis=1)
    assert regions.are_inside(orbit(8), walls)
    assert not regions.are_inside(orbit(8), np.concatenate([walls, cloud(2.5)]))  # an object before its background
