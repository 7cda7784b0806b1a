"""Model acceptance: which sparse models are accepted, and which photos the messages name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from reconstruction_operator.models.interface import ModelFailure
from reconstruction_operator.models.photogrammetry.arrays import Doubles
from reconstruction_operator.models.photogrammetry.sparse import acceptance
from reconstruction_operator.models.photogrammetry.sparse.cameras import Camera, looking_at
from reconstruction_operator.models.photogrammetry.sparse.colmap import pycolmap
from reconstruction_operator.models.photogrammetry.sparse.mapping import LeftOut, SparseModel, Why

from tests.support.engine import scenes
from tests.support.engine.geometry import photo_of

SOURCES = {f"{number:04}.jpg": f"IMG_{number}.JPG" for number in range(16)}


def model(
    aligned: int, points: int = 400, spread_deg: float = 60.0, why: Why = Why.NO_MATCHES, left_out: int = 0
) -> SparseModel:
    """Photos on an arc around the points, all of which they see; and photos left out for that reason."""
    cloud = np.random.default_rng(0).uniform(-0.1, 0.1, (points, 3))
    photos = []
    for number, turn in enumerate(np.radians(np.linspace(0.0, spread_deg, aligned))):
        eye = np.array([5 * np.sin(turn), 0.0, 5 * np.cos(turn)])
        camera = looking_at(eye, np.zeros(3), scenes.UP, focal=500.0, size=400)
        photos.append(photo_of(camera, f"{number:04}.jpg", np.arange(points)))
    names = list(SOURCES)[aligned : aligned + left_out]
    return SparseModel(tuple(photos), cloud, 0.5, tuple(LeftOut(name, why) for name in names))


@pytest.mark.parametrize(
    ("sparse", "expected"),
    [
        pytest.param(
            model(6),
            r"NOT_ENOUGH_OVERLAP: 6 of 16 photos overlap enough to be aligned, at least 7 are needed$",
            id="few",
        ),
        pytest.param(
            model(4, why=Why.APART, left_out=3),
            r"at least 7 are needed; 3 others show another object, or another "
            r"side: IMG_4\.JPG, IMG_5\.JPG, IMG_6\.JPG$",
            id="two-objects",
        ),
        pytest.param(
            model(3, why=Why.APART, left_out=12), r"12 others .* IMG_11\.JPG, IMG_12\.JPG and 2 more$", id="many-names"
        ),
        pytest.param(
            model(10, points=106),
            r"NO_PARALLAX: the photos share only 10\.6 points per photo, at least 20",
            id="accidents",
        ),
        pytest.param(
            model(10, spread_deg=1.0),
            r"NO_PARALLAX: .* at angles of 1\.0 degrees, at least 2 are needed",
            id="no-depth",
        ),
    ],
)
def test_a_model_below_a_gate_is_refused_with_numbers(sparse: SparseModel, expected: str) -> None:
    with pytest.raises(ModelFailure, match=expected):
        acceptance.check(sparse, SOURCES)


@pytest.mark.parametrize(
    ("sparse", "expected"),
    [
        pytest.param(model(16), "", id="all"),
        pytest.param(
            model(15, left_out=1), "only 15 of 16 photos were aligned; left out: IMG_15.JPG", id="one-is-missing"
        ),
        pytest.param(
            model(15, left_out=1, why=Why.APART),
            "only 15 of 16 photos were aligned; 1 other shows another object, or another side: IMG_15.JPG",
            id="another-object",
        ),
    ],
)
def test_an_accepted_model_has_a_warning_if_photos_are_missing(sparse: SparseModel, expected: str) -> None:
    acceptance.check(sparse, SOURCES)
    assert acceptance.warning(sparse, SOURCES) == expected


def test_one_photo_left_out_of_many_gives_no_warning() -> None:
    assert acceptance.warning(model(39), {f"{number:04}.jpg": f"IMG_{number}.JPG" for number in range(40)}) == ""


@pytest.mark.parametrize(
    ("sparse", "expected"),
    [
        pytest.param(model(10, spread_deg=60.0), "", id="all-around"),
        pytest.param(model(10, spread_deg=15.0), "", id="from-a-few-sides"),
        pytest.param(
            model(10, spread_deg=5.0),
            "all photos look in the same direction, and not all have a focal length in EXIF, so depths or heights may "
            "be stretched: add photos that look from the side, or use the camera's original files",
            id="one-direction",
        ),
    ],
)
def test_photos_with_parallel_axes_give_a_warning(sparse: SparseModel, expected: str) -> None:
    assert acceptance.focal_warning(sparse) == expected


LONG = {name: f"a-photo-with-quite-a-long-name-{name}" for name in SOURCES}
BOTH = replace(model(9, left_out=7), left_out=(*model(9, left_out=5).left_out, LeftOut("0015.jpg", Why.APART)))


@pytest.mark.parametrize(
    ("sparse", "sources", "expected"),
    [
        pytest.param(model(16), SOURCES, None, id="none"),
        pytest.param(model(14, left_out=2), SOURCES, "left out: IMG_14.JPG, IMG_15.JPG", id="two"),
        pytest.param(
            model(4, left_out=12), LONG, f"left out: {LONG['0004.jpg']}, {LONG['0005.jpg']} and 10 more", id="many"
        ),
        pytest.param(
            BOTH,
            SOURCES,
            "1 other shows another object, or another side: IMG_15.JPG; "
            "left out: IMG_9.JPG, IMG_10.JPG, IMG_11.JPG, IMG_12.JPG, IMG_13.JPG",
            id="other-object",
        ),
        pytest.param(
            model(4, left_out=12),
            {name: name * 20 for name in SOURCES},
            "left out: 12",
            id="names-without-end",
        ),
    ],
)
def test_the_early_line_names_as_many_photos_left_out_as_fit(
    sparse: SparseModel, sources: dict[str, str], expected: str | None
) -> None:
    assert acceptance.findings(sparse, sources).get("leftOutPhotos") == expected


def homography(first: Camera, second: Camera) -> Doubles:
    """The homography of the ground, the plane y = 0."""
    onto = [
        camera.intrinsics @ np.column_stack([camera.rotation[:, 0], camera.rotation[:, 2], camera.translation])
        for camera in (first, second)
    ]
    return onto[1] @ np.linalg.inv(onto[0])


def database(path: Path, cameras: list[Camera], *, focal_known: bool) -> Path:
    """The pairs of neighbours among photos of the ground."""
    with pycolmap.Database.open(path) as opened:
        first = cameras[0]
        model = pycolmap.Camera(
            model="SIMPLE_RADIAL",
            width=first.width,
            height=first.height,
            params=[
                first.intrinsics[0, 0] if focal_known else 7 * first.width,
                first.intrinsics[0, 2],
                first.intrinsics[1, 2],
                0.0,
            ],
            has_prior_focal_length=focal_known,
        )
        camera = opened.write_camera(model)
        images = [
            opened.write_image(pycolmap.Image(name=f"{number}.jpg", camera_id=camera)) for number in range(len(cameras))
        ]
        for number in range(len(cameras) - 1):
            geometry = pycolmap.TwoViewGeometry()
            geometry.config = pycolmap.TwoViewGeometryConfiguration.PLANAR_OR_PANORAMIC
            geometry.H = homography(cameras[number], cameras[number + 1])
            geometry.inlier_matches = np.stack([np.arange(100)] * 2, axis=1).astype(np.uint32)
            opened.write_two_view_geometry(images[number], images[number + 1], geometry)
    return path


def walking(count: int, step: float) -> list[Camera]:
    """Cameras on a straight walk above the ground; the distance to what they look at is 5."""
    eyes = [np.array([step * number, 3.0, 0.0]) for number in range(count)]
    return [looking_at(eye, eye + np.array([0.0, -3.0, 4.0]), scenes.UP, focal=480.0, size=400) for eye in eyes]


@pytest.mark.parametrize("focal_known", [True, False], ids=["focal-length-known", "unknown"])
@pytest.mark.parametrize(
    ("cameras", "expected"),
    [
        pytest.param(scenes.turning(5), 0.0, id="turning-on-the-spot"),
        pytest.param([scenes.turning(1)[0]] * 5, 0.0, id="the-same-photo"),
        pytest.param(walking(5, step=1.0), 1.0, id="walking"),
        pytest.param(scenes.around(5, height=3.0), 1.0, id="around-an-object"),
        pytest.param([*scenes.turning(3), *walking(3, step=1.0)[1:]], 0.5, id="turning-then-walking"),
    ],
)
def test_parallax_is_the_share_of_pairs_from_different_places(
    cameras: list[Camera], expected: float, focal_known: bool, tmp_path: Path
) -> None:
    share = acceptance.parallax_share(database(tmp_path / "features.db", cameras, focal_known=focal_known))
    assert share == pytest.approx(expected)


def test_pairs_that_no_homography_explains_have_parallax(tmp_path: Path) -> None:
    path = database(tmp_path / "features.db", scenes.turning(2), focal_known=True)
    with pycolmap.Database.open(path) as opened:
        first, second = (image.image_id for image in opened.read_all_images())
        geometry = opened.read_two_view_geometry(first, second)
        geometry.config = pycolmap.TwoViewGeometryConfiguration.CALIBRATED
        opened.update_two_view_geometry(first, second, geometry)
    assert acceptance.parallax_share(path) == 1.0


@pytest.mark.parametrize(("apart", "expected"), [(1.0, 11.4), (0.1, 1.15)])
def test_the_angle_is_that_between_the_lines_of_sight(apart: float, expected: float) -> None:
    points = np.random.default_rng(0).uniform(-0.1, 0.1, (50, 3))
    photos = []
    for x in (-apart / 2, 0.0, apart / 2):
        camera = looking_at(np.array([x, 0.0, 5.0]), np.zeros(3), scenes.UP, focal=500.0, size=400)
        seen = np.arange(50)
        photos.append(photo_of(camera, f"{x}.jpg", seen))
    assert acceptance.median_angle_deg(SparseModel(tuple(photos), points, 0.5)) == pytest.approx(expected, rel=0.05)
