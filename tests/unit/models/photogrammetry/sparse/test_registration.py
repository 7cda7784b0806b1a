"""Rounds of matching and alignment on computed features: what the first round leaves out, a later one aligns."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from reconstruction_operator.models.interface import Step
from reconstruction_operator.models.photogrammetry.progress import StageProgress
from reconstruction_operator.models.photogrammetry.sparse import registration
from reconstruction_operator.models.photogrammetry.sparse.cameras import Camera, pinhole
from reconstruction_operator.models.photogrammetry.sparse.colmap import pycolmap
from reconstruction_operator.models.photogrammetry.sparse.left_out import LeftOut, Why
from reconstruction_operator.models.photogrammetry.sparse.mapping import SparseModel

from tests.support.engine.databases import forget_matches, matched, synthesize
from tests.support.engine.geometry import QUIET, photo_of

PHOTOS = 6


@pytest.fixture
def database(tmp_path: Path) -> Path:
    synthesize(tmp_path / "features.db", PHOTOS)
    return tmp_path / "features.db"


def scramble(database: Path, names: list[str]) -> None:
    """Gives those photos descriptors that match no other's."""
    chance = np.random.default_rng(1)
    with pycolmap.Database.open(database) as opened:
        images = opened.read_all_images()
        descriptors = {image.image_id: opened.read_descriptors(image.image_id) for image in images}
        opened.clear_descriptors()
        for image in images:
            features = descriptors[image.image_id]
            if image.name in names:
                features.data = chance.permuted(features.data, axis=1)
            opened.write_descriptors(image.image_id, features)


def test_photos_left_out_are_matched_with_the_aligned_ones(database: Path) -> None:
    forget_matches(database, 1)
    model = registration.register(matched(database, PHOTOS), QUIET)
    assert len(model.photos) == PHOTOS
    assert model.left_out == ()


def test_all_pairs_are_matched_if_none_is_matched(database: Path) -> None:
    forget_matches(database, PHOTOS)
    assert len(registration.register(matched(database, PHOTOS), QUIET).photos) == PHOTOS


def test_a_photo_that_matches_no_other_is_left_out_after_all_rounds(database: Path) -> None:
    alone = forget_matches(database, 1)
    scramble(database, alone)
    heard: list[str] = []
    progress = StageProgress(lambda _, __, text="": heard.append(text), Step.RECONSTRUCT)
    model = registration.register(matched(database, PHOTOS), progress)
    assert model.left_out == (LeftOut(alone[0], Why.NO_MATCHES),)
    assert "5 of 6 photos aligned one by one, trying all at once" in heard
    assert heard[-1] == "5 of 6 photos aligned"


def test_photos_without_matches_give_an_empty_model(database: Path) -> None:
    scramble(database, forget_matches(database, PHOTOS))
    model = registration.register(matched(database, PHOTOS), QUIET)
    assert (len(model.photos), model.points.shape) == (0, (0, 3))
    assert [photo.why for photo in model.left_out] == [Why.NO_MATCHES] * PHOTOS


def model_of(names: str) -> SparseModel:
    photos = tuple(
        photo_of(Camera(pinhole(9.0, 4.0, 3.0), np.eye(3), np.zeros(3), 8, 6), name, np.zeros(0, np.int64))
        for name in names
    )
    return SparseModel(photos, np.zeros((0, 3)), 0.0)


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        pytest.param(["abcdefgx"], set(), id="an-earlier-model-of-the-same"),
        pytest.param(["xyz"], {"x", "y", "z"}, id="another-object"),
        pytest.param(["axyz"], {"x", "y", "z"}, id="another-side-with-a-photo-of-both"),
    ],
)
def test_photos_are_apart_if_their_model_shares_few_photos_with_the_largest(
    others: list[str], expected: set[str]
) -> None:
    best = model_of("abcdefghi")

    assert registration.apart([model_of(names) for names in others] + [best], best) == expected
