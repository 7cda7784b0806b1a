from __future__ import annotations

import numpy as np
import pytest
from reconstruction_operator.models.photogrammetry.advice import standpoints
from reconstruction_operator.models.photogrammetry.advice.standpoints import Standpoint
from reconstruction_operator.models.photogrammetry.arrays import Doubles, Singles
from reconstruction_operator.models.photogrammetry.sparse.cameras import Camera, looking_at
from reconstruction_operator.models.photogrammetry.surface.meshes import Caster, Mesh

from tests.support.engine import scenes
from tests.support.engine.geometry import sheet, sphere


def weights(mesh: Mesh, cameras: list[Camera]) -> Singles:
    """Return 1 where a camera sees a vertex of the mesh."""
    caster = Caster(mesh)
    normals = mesh.normals()
    shown = []
    for camera in cameras:
        pixels, _ = camera.project(mesh.vertices)
        inside = ((pixels >= 0) & (pixels < camera.width)).all(axis=1)
        in_front = ((camera.centre - mesh.vertices) * normals).sum(axis=1) > 0
        shown.append(inside & in_front & caster.sees(mesh.vertices, normals, camera.centre))
    return np.stack(shown, axis=1).astype(np.float32)


def found(mesh: Mesh, cameras: list[Camera], *, is_object: bool = True) -> list[Standpoint]:
    subject = np.ones(len(mesh.vertices), dtype=np.bool_)
    return standpoints.find(mesh, weights(mesh, cameras), subject, cameras, is_object=is_object, is_around=False)


def azimuths(places: Doubles) -> Doubles:
    """Return the angles around 0, as `scenes.around` counts them."""
    return np.degrees(np.arctan2(places[:, 0], places[:, 2])) % 360


def test_six_standpoints_fill_the_gap_in_a_ring_of_photos() -> None:
    cameras = scenes.around(13, arc_deg=240.0, height=1.0, radius=4.0)

    chosen = found(sphere(), cameras)

    assert len(chosen) == 6
    places = np.stack([place.position for place in chosen])
    assert ((azimuths(places[:5]) > 245) & (azimuths(places[:5]) < 355)).all()
    assert np.linalg.norm(places, axis=1) == pytest.approx(np.hypot(4.0, 1.0))  # as far as the photos
    assert places[:, 1] == pytest.approx(1.0, abs=0.3)  # and as high
    assert all(place.direction == pytest.approx(-place.position / place.distance) for place in chosen)
    gains = [place.gain for place in chosen]
    assert 0.001 <= min(gains) <= max(gains) < sum(gains) < 0.5


def test_each_standpoint_overlaps_with_a_photo_or_one_before_it() -> None:
    cameras = scenes.around(13, arc_deg=240.0, height=1.0, radius=4.0)
    known = [camera.centre for camera in cameras]

    for place in found(sphere(), cameras):
        cosines = [place.position @ other / np.linalg.norm(place.position) / np.linalg.norm(other) for other in known]
        assert np.degrees(np.arccos(max(cosines))) < 27
        known.append(place.position)


@pytest.mark.parametrize("side", [1.0, -1.0])
def test_the_way_from_the_nearest_photo_has_the_side_of_the_photographer(side: float) -> None:
    """The photos end where the way goes on, to the right if the turn is positive."""
    cameras = scenes.around(9, arc_deg=side * 160.0, height=1.0, radius=4.0)

    chosen = found(sphere(), cameras)

    assert chosen
    for place in chosen:
        assert place.nearest in {0, 8}
        beyond = side if place.nearest == 8 else -side  # `around` turns to the right of who looks at the middle
        assert place.turn_deg is not None
        assert np.sign(place.turn_deg) == np.sign(place.way[0]) == beyond


def test_a_whole_ring_needs_no_more_photos() -> None:
    cameras = scenes.around(24, arc_deg=345.0, height=1.0, radius=4.0)
    assert found(sphere(), cameras) == []


def test_photos_of_a_facade_are_continued_along_it() -> None:
    """Of a wall from x = -1 to 1, the photos show the left part."""
    flat = sheet()
    wall = Mesh(flat.vertices[:, [0, 2, 1]], flat.faces[:, ::-1])
    eyes = [np.array([x, 0.0, 1.5]) for x in (-1.0, -0.8, -0.6, -0.4)]
    cameras = [looking_at(eye, eye - [0.0, 0.0, 1.0], scenes.UP, focal=400.0, size=300) for eye in eyes]

    chosen = found(wall, cameras, is_object=False)

    assert chosen
    assert all(place.turn_deg is None for place in chosen)
    assert max(place.position[0] for place in chosen) > 0
    assert all(place.position[2] > 0.7 for place in chosen)


def test_one_photo_gives_no_advice() -> None:
    assert found(sphere(), scenes.around(1)) == []
