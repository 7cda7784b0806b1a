from __future__ import annotations

import numpy as np
import pytest
from reconstruction_operator.models.photogrammetry.advice import places
from reconstruction_operator.models.photogrammetry.advice.places import Place
from reconstruction_operator.models.photogrammetry.sparse.cameras import Camera, looking_at
from reconstruction_operator.models.photogrammetry.surface.meshes import Caster, Mesh

from tests.support.engine import scenes
from tests.support.engine.geometry import joined, sheet, sphere


def reached(cameras: list[Camera], mesh: Mesh, *, is_around: bool = False) -> tuple[list[Place], list[Place]]:
    caster = Caster(mesh)
    taken = places.taken(cameras, mesh, caster, is_around=is_around)
    return taken, places.reachable(taken, mesh, caster, is_around=is_around)


def test_places_around_an_object_are_neither_in_a_wall_beside_it_nor_behind_that() -> None:
    flat = sheet()
    wall = Mesh(4 * flat.vertices[:, [1, 0, 2]] + [3.0, 0.0, 0.0], flat.faces)  # at x = 3
    cameras = scenes.around(6, arc_deg=-90.0, height=1.0, radius=4.0)

    alone = reached(cameras, sphere())[1]
    beside = reached(cameras, joined(sphere(), wall))[1]

    assert max(place.centre[0] for place in alone) > 3
    assert max(place.centre[0] for place in beside) < 3


def test_places_around_a_low_ring_are_above_the_ground_and_as_high_as_the_photos() -> None:
    flat = sheet()
    ground = Mesh(8 * flat.vertices - [0.0, 1.0, 0.0], flat.faces)
    _, found = reached(scenes.around(6, arc_deg=60.0, height=0.2, radius=4.0), joined(sphere(), ground))
    assert found
    assert all(0.0 < place.centre[1] < 0.5 for place in found)


def test_places_in_a_room_are_on_the_same_side_of_a_wall_and_look_other_ways() -> None:
    flat = sheet()
    wall = Mesh(4 * flat.vertices[:, [0, 2, 1]] - [0.0, 0.0, 1.0], flat.faces[:, ::-1])  # at z = -1
    cameras = [
        looking_at(np.array([x, 0.0, 0.0]), np.array([x, 0.0, -1.0]), scenes.UP, focal=300.0, size=300)
        for x in (-1.0, 0.0, 1.0)
    ]
    _, found = reached(cameras, wall, is_around=True)
    assert found
    assert all(place.centre[2] > -0.5 for place in found)
    assert {round(place.sight[0], 1) for place in found} == {-0.5, 0.0, 0.5}


@pytest.mark.parametrize("turn", [-40.0, 25.0])
def test_the_turn_to_a_place_is_positive_to_the_right(turn: float) -> None:
    photo = Place(scenes.around(1)[0], np.zeros(3), 20.0, 0.0)
    radians = np.radians(turn)
    eye = np.array([5.0 * np.sin(radians), 2.0, 5.0 * np.cos(radians)])
    place = Place(looking_at(eye, np.zeros(3), scenes.UP, focal=300.0, size=300), np.zeros(3), 20.0, 0.0)

    assert places.turn_deg(photo, place) == pytest.approx(turn)
    assert np.sign((photo.camera.rotation @ eye + photo.camera.translation)[0]) == np.sign(turn)


def test_a_yaw_is_positive_to_the_right() -> None:
    ahead, right = (
        Place(
            looking_at(np.zeros(3), np.array([x, 0.0, -1.0]), scenes.UP, focal=300.0, size=300), np.zeros(3), None, 1.0
        )
        for x in (0.0, 0.5)
    )
    assert ahead.yaw_deg(right) == pytest.approx(np.degrees(np.arctan(0.5)))


def test_a_flight_is_continued_beside_its_photos_straight_down() -> None:
    flat = sheet()
    eyes = [np.array([x, 2.0, z]) for x in (0.0, 0.5) for z in (0.0, 0.5)]
    north = np.array([0.0, 0.0, -1.0])
    cameras = [looking_at(eye, eye * [1.0, 0.0, 1.0], north, focal=300.0, size=300) for eye in eyes]
    _, found = reached(cameras, Mesh(2 * flat.vertices, flat.faces))
    assert found
    assert all(place.sight == pytest.approx([0.0, -1.0, 0.0]) for place in found)
    assert all(place.centre[1] == pytest.approx(2.0) for place in found)
    assert all(place.camera.rotation[1] == pytest.approx([0.0, 0.0, 1.0]) for place in found)  # the same way up
