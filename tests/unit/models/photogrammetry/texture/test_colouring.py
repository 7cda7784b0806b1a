"""Colours, texture and pictures of a ball that is red on the left and blue on the right, seen by known cameras."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import trimesh
from reconstruction_operator.models.interface import Step
from reconstruction_operator.models.photogrammetry.arrays import Doubles
from reconstruction_operator.models.photogrammetry.dense.views import View
from reconstruction_operator.models.photogrammetry.output import export, previews
from reconstruction_operator.models.photogrammetry.progress import Progress
from reconstruction_operator.models.photogrammetry.sparse.cameras import Camera, looking_at
from reconstruction_operator.models.photogrammetry.surface.meshes import Mesh
from reconstruction_operator.models.photogrammetry.surface.raycast import Caster
from reconstruction_operator.models.photogrammetry.texture import colour, texture
from reconstruction_operator.models.photogrammetry.texture.texture import Atlas

UP = np.array([0.0, 1.0, 0.0])


def nowhere(step: Step, fraction: float, message: str = "") -> None:
    pass


QUIET = Progress(nowhere, Step.POSTPROCESS)
RED, BLUE = (200.0, 30.0, 20.0), (20.0, 30.0, 200.0)


def ball(subdivisions: int = 4) -> Mesh:
    made = trimesh.creation.icosphere(subdivisions)
    return Mesh(np.asarray(made.vertices, dtype=np.float64), np.asarray(made.faces, dtype=np.int64))


def camera(x: float, z: float) -> Camera:
    return looking_at(np.array([x, 0.0, z]), np.zeros(3), UP, focal=300.0, size=300)


@pytest.fixture
def photographed(tmp_path: Path) -> list[View]:
    """Four photos from the front and the sides, none from behind."""
    taken = []
    for index, (x, z) in enumerate(((-2.5, 2.6), (-0.5, 3.4), (0.6, 3.5), (2.4, 2.5))):
        one = camera(x, z)
        hits = Caster(ball()).cast(np.broadcast_to(one.centre, (300 * 300, 3)), one.rays())
        points = np.einsum("nc,ncx->nx", hits.weights, ball().vertices[ball().faces[hits.face]])
        picture = np.where(points[:, :1] < 0, RED, BLUE).reshape(300, 300, 3).astype(np.uint8)
        cv2.imwrite(str(tmp_path / f"{index}.png"), picture[:, :, ::-1])
        taken.append(View(f"{index}.png", tmp_path / f"{index}.png", one, 1.0, 5.0, ()))
    return taken


def test_a_point_on_the_far_side_is_hidden() -> None:
    poles = np.array([[0.0, 0.0, 1.0], [0.0, 0.0, -1.0]])
    assert Caster(ball()).sees(poles, poles, np.array([0.0, 0.0, 5.0])).tolist() == [True, False]


def test_a_ray_says_which_face_it_met_and_where() -> None:
    hits = Caster(ball()).cast(np.array([[0.1, 0.2, 5.0], [3.0, 0.0, 5.0]]), np.array([[0.0, 0.0, -1.0]] * 2))
    met = np.einsum("c,cx->x", hits.weights[0], ball().vertices[ball().faces[hits.face[0]]])
    assert met == pytest.approx([0.1, 0.2, 0.974], abs=0.01)
    assert hits.face[1] == -1


def test_vertices_take_the_colour_that_the_photos_show(photographed: list[View]) -> None:
    weights = colour.view_weights(ball(), [view.camera for view in photographed], Caster(ball()), QUIET)
    colours, seen = colour.vertex_colours(ball(), photographed, weights, QUIET)
    x, _, z = ball().vertices.T
    assert seen[z > 0.5].all()
    assert not seen[z < -0.9].any()
    assert colours[seen & (x < -0.15)] == pytest.approx(np.tile(RED, (int((seen & (x < -0.15)).sum()), 1)), abs=8)
    assert colours[seen & (x > 0.15)] == pytest.approx(np.tile(BLUE, (int((seen & (x > 0.15)).sum()), 1)), abs=8)


def test_vertices_that_no_photo_shows_take_the_colour_next_to_them(photographed: list[View]) -> None:
    weights = colour.view_weights(ball(), [view.camera for view in photographed], Caster(ball()), QUIET)
    colours, _ = colour.vertex_colours(ball(), photographed, weights, QUIET)
    behind = (ball().vertices[:, 2] < -0.5) & (ball().vertices[:, 0] < -0.5)
    assert colours[behind] == pytest.approx(np.tile(RED, (int(behind.sum()), 1)), abs=8)


def test_the_weights_of_a_vertex_sum_to_one_over_its_best_photos(photographed: list[View]) -> None:
    weights = colour.view_weights(ball(), [view.camera for view in photographed], Caster(ball()), QUIET)
    sums = weights.sum(axis=1)
    assert sums[sums > 0] == pytest.approx(1.0)
    assert (weights > 0).sum(axis=1).max() == 3


def test_a_picture_is_read_between_its_pixels() -> None:
    picture = np.zeros((2, 2, 3), np.uint8)
    picture[:, 1] = 100
    assert colour.sample(picture, np.array([[0.0, 0.0], [0.25, 1.0], [1.0, 0.5]]))[:, 0] == pytest.approx(
        [0, 25, 100], abs=2
    )
    assert colour.sample(picture, np.zeros((0, 2))).shape == (0, 3)


def test_a_texture_shows_what_the_photos_show(photographed: list[View], tmp_path: Path) -> None:
    mesh = ball(3)
    weights = colour.view_weights(mesh, [view.camera for view in photographed], Caster(mesh), QUIET)
    colours, _ = colour.vertex_colours(mesh, photographed, weights, QUIET)
    atlas = texture.unwrap(mesh, 256, tmp_path, QUIET)

    picture, coverage = texture.bake(atlas, photographed, weights, colours, size=256, threads=2, progress=QUIET)

    assert 0.5 < coverage < 0.9
    at_vertices = colour.sample(picture, atlas.uv * 256 - 0.5)
    front = atlas.mesh.vertices[:, 2] > 0.3
    left, right = front & (atlas.mesh.vertices[:, 0] < -0.3), front & (atlas.mesh.vertices[:, 0] > 0.3)
    assert np.median(at_vertices[left], axis=0) == pytest.approx(RED, abs=10)
    assert np.median(at_vertices[right], axis=0) == pytest.approx(BLUE, abs=10)


def test_each_texel_lies_on_its_triangle() -> None:
    corners = np.array([[0.1, 0.1], [0.9, 0.1], [0.1, 0.9]])
    triangle = Mesh(np.eye(3), np.array([[0, 1, 2]]))
    texels = texture.rasterise(Atlas(triangle, np.arange(3), corners), 64)
    centres = np.stack([texels.column + 0.5, texels.row + 0.5], axis=1) / 64
    assert 0.32 * 64**2 * 0.95 < len(centres) < 0.32 * 64**2 * 1.15
    assert texels.weights @ corners == pytest.approx(centres, abs=1.0 / 64)


def test_gaps_between_charts_take_the_colours_around_them() -> None:
    picture, known = np.zeros((64, 64, 3), np.uint8), np.zeros((64, 64), np.uint8)
    picture[:, :20] = 200
    known[:, :20] = 1
    filled = texture.fill_gaps(picture, known)
    assert (filled == 200).all()


def coloured_square() -> previews.Textured:
    corners: Doubles = np.array([[-0.5, 0.0, -0.5], [0.5, 0.0, -0.5], [0.5, 0.0, 0.5], [-0.5, 0.0, 0.5]])
    picture = np.zeros((64, 64, 3), np.uint8)
    picture[:, :32], picture[:, 32:] = RED, BLUE
    uv = corners[:, [0, 2]] + 0.5
    return previews.Textured(Mesh(corners, np.array([[0, 2, 1], [0, 3, 2]])), uv, picture)


def test_a_picture_shows_the_whole_model_as_large_as_it_fits() -> None:
    square = coloured_square()
    picture = previews.render(square, Caster(square.mesh), np.array([0.0, 0.8, 0.6])).astype(int)
    shown = np.ptp(picture, axis=2) > 60
    rows, columns = np.nonzero(shown)
    assert columns.min() == pytest.approx(0.05 * 512, abs=8)
    assert columns.max() == pytest.approx(0.95 * 512, abs=8)
    assert (rows.min() + rows.max()) / 2 == pytest.approx(256, abs=6)
    left, right = picture[300, 150], picture[300, 360]
    assert left[0] > 100 > left[2]
    assert right[2] > 100 > right[0]


def test_pictures_are_taken_all_around_what_was_photographed_all_around() -> None:
    angles = np.radians(np.arange(0, 360, 30))
    centres = np.stack([3 * np.sin(angles), np.ones(12), 3 * np.cos(angles)], axis=1)
    assert previews.directions(centres).sum(axis=0)[[0, 2]] == pytest.approx([0.0, 0.0], abs=1e-9)


def test_pictures_of_a_facade_are_taken_from_where_the_photographer_stood() -> None:
    centres = np.array([[-1.0, 0.5, 3.0], [0.0, 0.5, 3.0], [1.0, 0.5, 3.0]])
    directions = previews.directions(centres)
    assert (directions[:, 2] > 0.8).all()
    assert directions[0, 0] < -0.3
    assert directions[-1, 0] > 0.3


def test_a_coloured_model_reads_back_as_it_was_written(tmp_path: Path) -> None:
    colours = np.tile(np.array(RED, np.float32), (4, 1))
    export.write_coloured(tmp_path / "model.glb", coloured_square().mesh, colours)
    loaded = trimesh.load_mesh(tmp_path / "model.glb", process=False)
    assert np.asarray(loaded.vertices) == pytest.approx(coloured_square().mesh.vertices)
    assert np.asarray(loaded.visual.vertex_colors)[:, :3].tolist() == [[200, 30, 20]] * 4


def test_a_textured_model_reads_back_as_it_was_written(tmp_path: Path) -> None:
    square = coloured_square()
    export.write_textured(tmp_path / "model.glb", square.mesh, square.uv, square.texture)
    loaded = trimesh.load_mesh(tmp_path / "model.glb", process=False)
    picture = np.asarray(loaded.visual.material.baseColorTexture.convert("RGB"))
    assert picture[10, 10] == pytest.approx(np.array(RED), abs=6)
    from_upper_left = np.asarray(loaded.visual.uv) * [1, -1] + [0, 1]
    assert from_upper_left == pytest.approx(square.uv)
