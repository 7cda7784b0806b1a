"""Up direction by the cameras, by their gimbals and by the ground, in scenes with arbitrary coordinates."""

from __future__ import annotations

import numpy as np
import pytest
from reconstruction_operator.models.photogrammetry.arrays import Doubles
from reconstruction_operator.models.photogrammetry.placing import upright
from reconstruction_operator.models.photogrammetry.placing.upright import Held
from reconstruction_operator.models.photogrammetry.sparse.cameras import Camera, looking_at
from reconstruction_operator.models.photogrammetry.surface.meshes import Mesh

from tests.support.engine.geometry import sheet, sphere

RANDOM = np.random.default_rng(7)
TURN, _ = np.linalg.qr(RANDOM.normal(size=(3, 3)))
UP: Doubles = TURN[:, 1]


def camera(eye: tuple[float, float, float], target: tuple[float, float, float], roll_deg: float = 0.0) -> Camera:
    """A camera in the turned world, `roll_deg` out of level; one that looks straight down has its upper edge in the
    north (-z).
    """
    up = np.array([0.0, 1.0, 0.0]) if eye[0] != target[0] or eye[2] != target[2] else np.array([0.0, 0.0, -1.0])
    roll = np.radians(roll_deg)
    level = looking_at(np.array(eye), np.array(target), up, focal=500.0, size=400)
    rolled = np.array([[np.cos(roll), -np.sin(roll), 0.0], [np.sin(roll), np.cos(roll), 0.0], [0.0, 0.0, 1.0]])
    rotation = rolled @ level.rotation @ TURN.T
    return Camera(level.intrinsics, rotation, -rotation @ (TURN @ np.array(eye)), 400, 400)


def orbit(count: int, arc_deg: float = 360.0, height: float = 3.0, roll_deg: float = 0.0) -> list[Camera]:
    rolls = RANDOM.normal(0.0, roll_deg, count) if roll_deg else np.zeros(count)
    turns = np.radians(np.linspace(0.0, arc_deg, count, endpoint=False))
    return [
        camera((4 * np.sin(turn), height, 4 * np.cos(turn)), (0.0, 0.0, 0.0), roll)
        for turn, roll in zip(turns, rolls, strict=True)
    ]


def degrees(direction: Doubles) -> float:
    """Between `direction` and up."""
    return float(np.degrees(np.arccos(np.clip(direction @ UP, -1.0, 1.0))))


def scene(*parts: Doubles) -> Doubles:
    """Points (n, 3) of parts in upright coordinates, in the turned world."""
    return np.concatenate(parts) @ TURN.T


def slab(width: float, depth: float, count: int = 3000, *, slope_deg: float = 0.0, height: float = 0.0) -> Doubles:
    """Points on a thin slab that slopes down towards +x."""
    flat = RANDOM.uniform(-1, 1, (count, 3)) * [width, 0.003, depth]
    slope = np.radians(slope_deg)
    tilt = np.array([[np.cos(slope), np.sin(slope), 0.0], [-np.sin(slope), np.cos(slope), 0.0], [0.0, 0.0, 1.0]])
    return flat @ tilt.T + [0.0, height, 0.0]


@pytest.mark.parametrize(
    ("cameras", "most_deg"),
    [
        pytest.param(orbit(12), 0.1, id="level-and-all-around"),
        pytest.param(orbit(8, arc_deg=100.0, height=6.0), 0.1, id="level-on-an-arc-looking-down-on-it"),
        pytest.param([*orbit(11), camera((4.0, 3.0, 0.1), (0.0, 0.0, 0.0), 80.0)], 1.0, id="one-photo-is-askew"),
        pytest.param(orbit(24, roll_deg=3.0), 2.0, id="held-by-hand"),
        pytest.param(
            [
                camera((x, 9.0, z), (x + across, 0.0, z + along))
                for x in (0, 3)
                for z in (0, 3)
                for across, along in ((0.1, 0.0), (0.0, 0.1))
            ],
            0.1,
            id="a-crosswise-flight-that-looks-down",
        ),
        pytest.param(
            [camera((x, 9.0, z), (x, 0.0, z)) for x in (0, 3) for z in (0, 3)]
            + [camera((x, 9.0, 1.0), (x, 0.0, 1.0), 180.0) for x in (0, 1, 2, 3)],
            0.1,
            id="a-flight-to-and-fro-that-looks-straight-down",
        ),
    ],
)
def test_level_cameras_determine_up(cameras: list[Camera], most_deg: float) -> None:
    assert degrees(upright.by_cameras(cameras).up) < most_deg


def test_cameras_that_hardly_turn_leave_the_ground_more_freedom() -> None:
    held = upright.by_cameras(orbit(4, arc_deg=15.0, height=2.0))
    assert held.reach_deg > upright.by_cameras(orbit(12)).reach_deg
    assert degrees(held.up) == pytest.approx(np.degrees(np.arctan(0.5)), abs=2.0)  # as they look down


@pytest.mark.parametrize("pitch_deg", [-90.0, -60.0, 0.0])
def test_gimbal_pitches_determine_up_of_a_flight_in_one_direction(pitch_deg: float) -> None:
    down = -np.sin(np.radians(pitch_deg))
    ahead = np.cos(np.radians(pitch_deg))
    flight = [camera((x, 50.0, 0.0), (x, 50.0 - down, -ahead)) for x in (0, 4, 8)]
    held = upright.by_gimbal(flight, [pitch_deg, pitch_deg, None])
    assert held is None  # two are too few
    held = upright.by_gimbal(flight, [pitch_deg] * 3)
    assert held is not None
    assert degrees(held.up) < 0.1
    assert upright.by_gimbal(orbit(6), [-90.0] * 6) is None  # the pitches contradict the photos


def test_ground_is_found_with_tilted_cameras() -> None:
    points = scene(slab(1.0, 1.0), RANDOM.uniform(-0.2, 0.2, (1000, 3)) + np.array([0.1, 0.25, 0.0]))
    askew = UP + 0.3 * TURN[:, 0]
    ground = upright.ground(points, Held(askew / np.linalg.norm(askew), 25.0), seed=0)
    assert ground is not None
    assert degrees(ground.normal) < 1.0
    assert ground.height == pytest.approx(0.0, abs=0.01)


@pytest.mark.parametrize(
    "points",
    [
        pytest.param(scene(slab(1.0, 1.0, slope_deg=40.0)), id="a-roof-too-steep"),
        pytest.param(scene(slab(1.0, 1.0), slab(0.5, 0.5, 500, height=-1.0)), id="a-table-with-the-floor-below"),
        pytest.param(scene(RANDOM.uniform(-1, 1, (3000, 3))), id="nothing-flat"),
    ],
)
def test_a_plane_that_is_not_the_ground_is_not_found(points: Doubles) -> None:
    assert upright.ground(points, Held(UP, 25.0), seed=0) is None


def test_model_frame_is_upright_centred_and_of_side_one() -> None:
    random = np.random.default_rng(1)
    turn, _ = np.linalg.qr(random.normal(size=(3, 3)))
    points, up = random.uniform(-1, 1, (500, 3)) * [1.0, 0.3, 0.8] @ turn.T * 7.0 + 3.0, turn[:, 1]
    level = np.cross(up, [0.3, 0.2, 0.9])
    eye = points.mean(axis=0) + up * 8 + level / np.linalg.norm(level) * 20
    frame = upright.frame(points, up, eye - points.mean(axis=0))
    model = frame.apply(points)
    assert (model.max(axis=0) - model.min(axis=0)).max() == pytest.approx(1.0)
    assert model.max(axis=0) == pytest.approx(-model.min(axis=0))
    assert frame.rotation @ up == pytest.approx([0.0, 1.0, 0.0])
    assert np.linalg.det(frame.rotation) == pytest.approx(1.0)
    viewer = frame.apply(eye[None])[0]
    assert viewer[2] > abs(viewer[0])  # the eye is in front


def test_a_facade_faces_the_front_and_a_closed_object_the_camera() -> None:
    up = np.array([0.0, 1.0, 0.0])
    eye = np.array([3.0, 1.0, 4.0])
    flat = sheet()
    facade = Mesh(flat.vertices[:, [0, 2, 1]] * [1.0, -1.0, 1.0], flat.faces)  # faces +z
    assert upright.front(facade, up, eye) == pytest.approx([0.0, 0.0, 4.0])
    assert upright.front(sphere(), up, eye) == pytest.approx(eye, abs=1e-6)


@pytest.mark.parametrize("height", [0.5, 3.0])
def test_the_axis_of_a_ring_of_cameras_that_lie_on_their_side_is_up(height: float) -> None:
    turns = np.radians(np.arange(0.0, 360.0, 30.0))
    lying = [camera((4 * np.sin(turn), height, 4 * np.cos(turn)), (0.0, 0.0, 0.0), 90.0) for turn in turns]
    held = upright.by_cameras(lying)
    assert degrees(held.up) < 0.1
    assert not held.is_determined  # the ground may still tilt it
