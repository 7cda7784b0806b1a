"""Model acceptance: which sparse models are accepted, and which photos the messages name."""

from __future__ import annotations

import numpy as np
import pytest
from reconstruction_operator.models.interface import ModelFailure
from reconstruction_operator.models.photogrammetry.sparse import acceptance
from reconstruction_operator.models.photogrammetry.sparse.cameras import looking_at
from reconstruction_operator.models.photogrammetry.sparse.left_out import LeftOut, Why
from reconstruction_operator.models.photogrammetry.sparse.mapping import SparseModel

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
            r"at least 7 are needed; 3 others show another object, or another side: IMG_4\.JPG, IMG_5\.JPG, IMG_6\.JPG$",
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
