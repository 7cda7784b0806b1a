from __future__ import annotations

import numpy as np
import pytest
import trimesh
from reconstruction_operator.models.photogrammetry.sparse import orientation
from reconstruction_operator.models.photogrammetry.sparse.cameras import looking_at
from reconstruction_operator.models.photogrammetry.surface import cleanup
from reconstruction_operator.models.photogrammetry.surface.meshes import Mesh


def sphere(subdivisions: int = 4, radius: float = 1.0) -> Mesh:
    made = trimesh.creation.icosphere(subdivisions, radius)
    return Mesh(np.asarray(made.vertices, dtype=np.float64), np.asarray(made.faces, dtype=np.int64))


def sheet(count: int = 41) -> Mesh:
    """A square from -1 to 1 at y = 0."""
    line = np.linspace(-1.0, 1.0, count)
    x, z = np.meshgrid(line, line)
    vertices = np.stack([x.ravel(), np.zeros(x.size), z.ravel()], axis=1)
    corner = (np.arange(count - 1)[:, None] * count + np.arange(count - 1)).ravel()
    faces = np.concatenate(
        [
            np.stack([corner, corner + count, corner + 1], axis=1),
            np.stack([corner + 1, corner + count, corner + count + 1], axis=1),
        ]
    )
    return Mesh(vertices, faces)


def joined(first: Mesh, second: Mesh) -> Mesh:
    return Mesh(
        np.concatenate([first.vertices, second.vertices]),
        np.concatenate([first.faces, second.faces + len(first.vertices)]),
    )


def test_normals_of_a_sphere_point_outwards() -> None:
    assert sphere().normals() == pytest.approx(sphere().vertices, abs=0.02)


def test_leaving_out_faces_leaves_out_the_vertices_that_only_they_used() -> None:
    reduced = sheet().with_faces(sheet().vertices[sheet().faces][:, :, 0].max(axis=1) <= 0)
    assert reduced.vertices[:, 0].max() == 0
    assert reduced.faces.max() == len(reduced.vertices) - 1


def test_surface_beyond_all_points_is_an_invention() -> None:
    points = sheet().vertices[np.linalg.norm(sheet().vertices, axis=1) < 0.6]
    kept = cleanup.without_inventions(sheet(), points, cell=0.05)
    reach = np.linalg.norm(kept.vertices, axis=1).max()
    assert 0.6 < reach < 0.6 + 4 * 0.05


def test_a_hole_inside_the_points_stays_closed() -> None:
    away = np.linalg.norm(sheet(81).vertices, axis=1)
    kept = cleanup.without_inventions(sheet(81), sheet(81).vertices[(away > 0.3) & (away < 0.8)], cell=0.02)
    assert np.linalg.norm(kept.vertices, axis=1).min() == pytest.approx(0.0, abs=1e-9)
    assert np.linalg.norm(kept.vertices, axis=1).max() < 0.9


def test_an_island_much_smaller_than_the_rest_goes() -> None:
    cleaned = cleanup.without_islands(joined(sphere(4), sphere(0, radius=0.1)))
    assert len(cleaned.faces) == len(sphere(4).faces)


def test_smoothing_takes_the_noise_and_leaves_the_size() -> None:
    noise = 1 + np.random.default_rng(0).normal(0.0, 0.01, (len(sphere().vertices), 1))
    rough = Mesh(sphere().vertices * noise, sphere().faces)
    radii = np.linalg.norm(cleanup.smoothed(rough, 5).vertices, axis=1)
    assert radii.std() < 0.005
    assert radii.mean() == pytest.approx(1.0, abs=0.005)


def test_smoothing_leaves_the_border_where_it_is() -> None:
    border = np.abs(sheet().vertices).max(axis=1) == 1.0
    assert cleanup.smoothed(sheet(), 3).vertices[border] == pytest.approx(sheet().vertices[border])


def test_decimation_keeps_the_shape_with_fewer_faces() -> None:
    reduced = cleanup.decimated(sphere(5), 2000)
    assert 1500 < len(reduced.faces) <= 2000
    assert np.linalg.norm(reduced.vertices, axis=1) == pytest.approx(np.ones(len(reduced.vertices)), abs=0.02)


def test_a_mesh_that_is_small_enough_is_not_decimated() -> None:
    assert len(cleanup.decimated(sphere(2), 2000).faces) == len(sphere(2).faces)


def tilted_scene() -> tuple[np.ndarray, np.ndarray]:
    """Ground with something on it, in a coordinate system that knows nothing of up; and which way up is."""
    random = np.random.default_rng(1)
    ground = random.uniform(-1, 1, (3000, 3)) * [1.0, 0.003, 1.0]
    thing = random.uniform(-0.2, 0.2, (1000, 3)) + np.array([0.1, 0.25, 0.0])
    turn, _ = np.linalg.qr(random.normal(size=(3, 3)))
    return np.concatenate([ground, thing]) @ turn.T * 7.0 + 3.0, turn @ [0.0, 1.0, 0.0]


def test_the_ground_is_found_though_the_camera_was_tilted() -> None:
    points, up = tilted_scene()
    roughly = up + np.array([0.2, -0.15, 0.1])
    normal = orientation.ground_normal(points, roughly / np.linalg.norm(roughly), seed=0)
    assert normal == pytest.approx(up, abs=0.01)


def test_a_wall_is_not_taken_for_the_ground() -> None:
    points, up = tilted_scene()
    sideways = np.cross(up, [0.3, 0.2, 0.9])
    assert orientation.ground_normal(points, sideways / np.linalg.norm(sideways), seed=0) is None


def test_the_model_stands_upright_and_centred_in_a_box_of_side_one() -> None:
    points, up = tilted_scene()
    level = np.cross(up, [0.3, 0.2, 0.9])
    eye = points.mean(axis=0) + up * 8 + level / np.linalg.norm(level) * 20
    camera = looking_at(eye, points.mean(axis=0), up, focal=500.0, size=400)
    frame = orientation.find(points, [camera], seed=0)
    model = frame.apply(points)
    assert (model.max(axis=0) - model.min(axis=0)).max() == pytest.approx(1.0)
    assert model.max(axis=0) == pytest.approx(-model.min(axis=0))
    assert frame.rotation @ up == pytest.approx([0.0, 1.0, 0.0], abs=0.02)
    assert np.linalg.det(frame.rotation) == pytest.approx(1.0)
    viewer = frame.apply(eye[None])[0]
    assert viewer[2] > abs(viewer[0])  # the first camera is in front
