from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from reconstruction_operator.models.interface import Placement
from reconstruction_operator.models.photogrammetry.advice import files
from reconstruction_operator.models.photogrammetry.advice.standpoints import Standpoint
from reconstruction_operator.models.photogrammetry.sparse.cameras import looking_at

from tests.support.engine import scenes
from tests.support.engine.geometry import photo_of

EYE = np.array([0.0, 3.0, 4.0])
CAMERA = looking_at(EYE, np.zeros(3), scenes.UP, focal=300.0, size=400)
PHOTO = photo_of(CAMERA, "IMG_0012.jpg", np.zeros(0, np.int64))
PLACEMENT = Placement(50.0, 10.0, 200.0, 2.0, (1.0, 0.0, 0.0, 0.0, 0.0, -1.0, 0.0, 1.0, 0.0))  # +Z is south


def standpoint(
    turn: float | None, right: float = 0.0, up: float = 0.0, ahead: float = 0.0, yaw: float = 0.0
) -> Standpoint:
    """Return one at EYE, 5 from what it looks at."""
    return Standpoint(CAMERA, np.zeros(3), 0, turn, np.array([right, up, ahead]), yaw, 0.0234)


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """Return a black photo."""
    path = tmp_path / "photo.jpg"
    cv2.imwrite(str(path), np.zeros((800, 800, 3), np.uint8))
    return path


@pytest.mark.parametrize(
    ("place", "metres", "text"),
    [
        pytest.param(
            standpoint(-40.2, up=1.0), None, "go 40° to the left around the object, a little higher,", id="left"
        ),
        pytest.param(standpoint(15.0), 0.5, "go 15° to the right around the object, 2.5 m from it,", id="metres"),
        pytest.param(standpoint(0.2, up=-1.0), None, "stay on that side of the object, a little lower,", id="height"),
        pytest.param(
            standpoint(None, 2.0, 0.0, -1.0),
            2.0,
            "go to the right by 4 m and back by 2 m, and look the same way",
            id="moved",
        ),
        pytest.param(
            standpoint(None, -2.0),
            None,
            "go to the left by 40 % of the distance to the object,",
            id="moved-unknown-scale",
        ),
        pytest.param(standpoint(None, yaw=30.0), None, "stay there, and look 30° farther to the right", id="turned"),
        pytest.param(standpoint(None, yaw=-30.0), None, "stay there, and look 30° farther to the left", id="back"),
    ],
)
def test_a_sentence_leads_from_the_nearest_photo(place: Standpoint, metres: float | None, text: str) -> None:
    sentence = files.sentence(place, "IMG_0012.jpg", metres)
    assert sentence.startswith("From where you took IMG_0012.jpg, ")
    assert text in sentence


@pytest.mark.parametrize(("turn", "side"), [(40.0, 1), (-40.0, -1)])
def test_a_picture_has_a_circle_in_its_middle_and_an_arrow_to_the_side(picture: Path, turn: float, side: int) -> None:
    drawn = files.drawn(standpoint(turn), PHOTO, picture)

    assert drawn.shape == (640, 640, 3)
    rows, columns = np.nonzero(drawn.max(axis=2) > 200)
    circle = rows < 400
    assert (columns[circle].mean(), rows[circle].mean()) == pytest.approx((319.5, 319.5), abs=2)
    assert np.sign(columns[~circle].mean() - 320) == side


def test_a_picture_shows_no_circle_around_what_its_photo_does_not_show(picture: Path) -> None:
    away = Standpoint(CAMERA, 2 * EYE, 0, None, np.array([2.0, 0.0, 0.0]), 0.0, 0.1)
    rows, _ = np.nonzero(files.drawn(away, PHOTO, picture).max(axis=2) > 200)
    assert rows.min() > 400


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, ""), (1, "1 more photo would show 2 % more"), (6, "6 more photos would show 14 % more")],
)
def test_a_summary_fits_into_the_status(picture: Path, count: int, text: str) -> None:
    advice = files.described([standpoint(15.0)] * count, [PHOTO], [picture], None)
    assert files.summary(advice).startswith(text)
    assert len(files.summary(advice)) <= 128


def test_the_file_has_each_standpoint_with_its_picture(picture: Path, tmp_path: Path) -> None:
    advice = files.described([standpoint(15.0), standpoint(None, 1.0)], [PHOTO], [picture], None)

    files.write(tmp_path, advice, metres=None, placement=None)

    content = json.loads((tmp_path / "advice.json").read_text())
    assert (content["format"], content["version"]) == ("reconstruction-operator/advice", 1)
    assert content["standpoints"][0] == {
        "position": [0.0, 3.0, 4.0],
        "direction": [0.0, -0.6, -0.8],
        "distance": 5.0,
        "gain": 0.0234,
        "nearestPhoto": "IMG_0012.jpg",
        "turnDegrees": 15.0,
        "picture": "standpoints/1.jpg",
        "text": advice[0].text,
    }
    assert "turnDegrees" not in content["standpoints"][1]
    with (tmp_path / "standpoints/2.jpg").open("rb") as file:
        assert file.read(2) == b"\xff\xd8"
    assert not (tmp_path / "advice.geojson").exists()


def test_known_places_are_in_metres_and_in_wgs_84(picture: Path, tmp_path: Path) -> None:
    """The model's unit is 2 m: the place is 8 m south and 6 m above the origin."""
    advice = files.described([standpoint(15.0)], [PHOTO], [picture], 2.0)

    files.write(tmp_path, advice, metres=2.0, placement=PLACEMENT)

    entry = json.loads((tmp_path / "advice.json").read_text())["standpoints"][0]
    assert entry["metres"] == 10.0
    assert entry["place"] == {
        "latitude": pytest.approx(50.0 - 8.0 / 111_229, abs=1e-6),
        "longitude": 10.0,
        "altitude": pytest.approx(206.0, abs=0.01),
        "heading": 0.0,  # to the north
        "pitch": -36.9,
    }
    (feature,) = json.loads((tmp_path / "advice.geojson").read_text())["features"]
    assert feature["geometry"] == {
        "type": "Point",
        "coordinates": [entry["place"][name] for name in ("longitude", "latitude", "altitude")],
    }
    assert feature["properties"] == {
        "heading": 0.0,
        "pitch": -36.9,
        "text": entry["text"],
        "nearestPhoto": "IMG_0012.jpg",
        "gain": 0.0234,
        "distance": 5.0,
        "metres": 10.0,
    }
