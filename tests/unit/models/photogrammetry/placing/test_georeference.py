"""Georeference: scale, direction and place from GPS positions.

The truth is known, and the scene has coordinates of its own.
"""

from __future__ import annotations

import numpy as np
import pytest
from reconstruction_operator.models.photogrammetry.arrays import Doubles
from reconstruction_operator.models.photogrammetry.placing import georeference, upright
from reconstruction_operator.models.photogrammetry.sparse.cameras import Camera

HOME = np.array([52.5163, 13.3777, 71.0])
TURN, _ = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))
TURN *= np.linalg.det(TURN)
METRES_PER_WORLD = 12.5


def flight(metres: Doubles, noise_m: float = 0.0) -> tuple[list[Camera], list[tuple[float, float, float]]]:
    """Cameras at `metres` (n, 3) east, north and up of home, in the scene's own world, and their places."""
    random = np.random.default_rng(1)
    cameras, places = [], []
    for metre in metres:
        centre = TURN.T @ metre / METRES_PER_WORLD + [3.0, -2.0, 1.0]
        cameras.append(Camera(np.eye(3), np.eye(3), -centre, 100, 100))
        latitude, longitude, altitude = georeference.from_local(metre + random.normal(0.0, noise_m, 3), HOME)
        places.append((float(latitude), float(longitude), float(altitude)))
    return cameras, places


GRID = np.array(
    [[east, north, 40.0 + (east + north) % 3] for east in range(0, 90, 30) for north in range(0, 90, 30)], float
)


def test_places_and_local_metres_are_the_same_both_ways() -> None:
    place = georeference.from_local(np.array([1200.0, -800.0, 45.5]), HOME)
    assert georeference.to_local(place[None], HOME)[0] == pytest.approx([1200.0, -800.0, 45.5], abs=1e-6)
    north = georeference.to_local(HOME[None] + [[1e-3, 0.0, 0.0]], HOME)[0]
    assert north == pytest.approx([0.0, 111.27, 0.0], abs=0.05)  # a degree is 111.27 km there


@pytest.mark.parametrize(("noise_m", "most_m"), [(0.0, 1e-6), (1.0, 2.0)])
def test_a_vertex_has_the_place_in_the_manifest(noise_m: float, most_m: float) -> None:
    cameras, places = flight(GRID, noise_m)
    on_earth = georeference.find(cameras, places)
    assert on_earth is not None
    truth = np.array([[0.0, 0.0, 0.0], [60.0, 10.0, 2.0], [20.0, 70.0, 8.0], [30.0, 20.0, 0.0]])
    world = truth @ TURN / METRES_PER_WORLD + [3.0, -2.0, 1.0]
    frame = upright.frame(world, on_earth.held.up, cameras[0].centre - world.mean(axis=0))
    placement = on_earth.placement(frame)
    origin = np.array([placement.latitude, placement.longitude, placement.altitude])
    rotation = np.array(placement.rotation).reshape(3, 3)
    local = placement.metres_per_unit * frame.apply(world) @ rotation.T
    for metre, expected in zip(local, truth, strict=True):
        there = georeference.to_local(georeference.from_local(metre, origin)[None], HOME)[0]
        assert np.linalg.norm(there - expected) < most_m


def test_an_outlier_and_photos_without_positions_are_ignored() -> None:
    cameras, places = flight(GRID, 0.5)
    latitude, longitude, altitude = places[4]
    places[4] = (latitude + 0.01, longitude, altitude)
    on_earth = georeference.find(cameras, [*places[:7], None, None])
    assert on_earth is not None
    assert on_earth.scale == pytest.approx(METRES_PER_WORLD, rel=0.03)
    assert georeference.find(cameras, [None] * 9) is None


@pytest.mark.parametrize(
    ("metres", "noise_m"),
    [
        pytest.param(GRID[:3], 0.0, id="three-positions"),
        pytest.param(np.array([[10.0 * step, 0.01 * step**2, 30.0] for step in range(6)]), 0.0, id="on-a-line"),
        pytest.param(GRID / 30.0, 0.0, id="around-a-small-object"),
        pytest.param(GRID / 5.0, 6.0, id="errors-as-large-as-the-scene"),
    ],
)
def test_positions_that_determine_nothing_are_not_used(metres: Doubles, noise_m: float) -> None:
    assert georeference.find(*flight(metres, noise_m)) is None


@pytest.mark.parametrize(("size", "expected"), [(1.0, False), (2.0, True)])
def test_positions_are_wide_from_forty_metres_on(size: float, expected: bool) -> None:
    on_earth = georeference.find(*flight(GRID * [size, size, 1.0]))
    assert on_earth is not None
    assert on_earth.width_m == pytest.approx(size * 30 * np.sqrt(2 / 3), rel=0.02)
    assert on_earth.is_wide is expected
