"""Rounds of matching and alignment on computed features: what the first round leaves out, a later one aligns."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from reconstruction_operator.models.interface import Step
from reconstruction_operator.models.photogrammetry.progress import StageProgress
from reconstruction_operator.models.photogrammetry.sparse import registration
from reconstruction_operator.models.photogrammetry.sparse.cameras import Camera, pinhole
from reconstruction_operator.models.photogrammetry.sparse.colmap import pycolmap
from reconstruction_operator.models.photogrammetry.sparse.mapping import LeftOut, SparseModel, Why
from reconstruction_operator.models.photogrammetry.sparse.pairs import Pair

from tests.support.engine import scenes
from tests.support.engine.databases import forget_matches, matched, of_pictures, synthesize
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


def test_a_few_photos_of_a_large_set_may_stay_out(database: Path) -> None:
    forget_matches(database, 1)
    shares = registration.Shares(nearly_all=0.8, as_good_as_all=0.8)
    assert len(registration.register(matched(database, PHOTOS), QUIET, shares).photos) == PHOTOS - 1


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


def test_each_photo_left_out_has_its_reason(tmp_path: Path) -> None:
    options = pycolmap.SyntheticDatasetOptions()
    options.num_rigs, options.num_cameras_per_rig, options.num_frames_per_rig = 1, 1, 5
    with pycolmap.Database.open(tmp_path / "features.db") as database:
        pycolmap.synthesize_dataset(options, database)
        aligned, elsewhere, unaligned, unmatched, blank = database.read_all_images()
        for other in (aligned, elsewhere, unaligned, blank):
            database.delete_two_view_geometry(unmatched.image_id, other.image_id)
        database.update_keypoints(blank.image_id, database.read_keypoints(blank.image_id)[:10])

    assert registration._left_out(tmp_path / "features.db", [aligned.name], [aligned.name, elsewhere.name]) == (
        LeftOut(elsewhere.name, Why.APART),
        LeftOut(unaligned.name, Why.NOT_ALIGNED),
        LeftOut(unmatched.name, Why.NO_MATCHES),
        LeftOut(blank.name, Why.NO_FEATURES),
    )


def test_two_photos_that_overlap_with_each_other_alone_show_something_else(tmp_path: Path) -> None:
    options = pycolmap.SyntheticDatasetOptions()
    options.num_rigs, options.num_cameras_per_rig, options.num_frames_per_rig = 1, 1, 5
    with pycolmap.Database.open(tmp_path / "features.db") as database:
        pycolmap.synthesize_dataset(options, database)
        *same, between, first, second = database.read_all_images()
        for other in same:  # `between` overlaps with one of the others, and is not aligned all the same
            for image in (first, second, between) if other is same[0] else (first, second):
                database.delete_two_view_geometry(other.image_id, image.image_id)
        for image in (first, second):
            database.delete_two_view_geometry(between.image_id, image.image_id)

    assert registration._left_out(tmp_path / "features.db", [image.name for image in same], []) == (
        LeftOut(between.name, Why.NOT_ALIGNED),
        LeftOut(first.name, Why.APART),
        LeftOut(second.name, Why.APART),
    )
    assert {photo.why for photo in registration._left_out(tmp_path / "features.db", [], [])} == {Why.NOT_ALIGNED}


WIDTH, HEIGHT = 160, 120


@pytest.fixture
def wall(tmp_path: Path) -> Path:
    """Features of `left.png` and `right.png`, which overlap by three quarters, and of `other.png`."""
    picture = scenes.noise(1, 2 * WIDTH, HEIGHT)
    shift = WIDTH // 4
    pictures = {
        "left.png": picture[:, :WIDTH],
        "right.png": picture[:, shift : shift + WIDTH],
        "other.png": picture[::-1, WIDTH:][:, ::-1],
    }
    return of_pictures(tmp_path, pictures)


def match(pairs: Sequence[Pair], wall: Path, progress: StageProgress = QUIET, *, guided: bool = False) -> int:
    return registration.match(pairs, matched(wall, 3), progress, guided=guided)


def inliers(wall: Path) -> dict[frozenset[str], int]:
    """The number of verified matches of each matched pair."""
    with pycolmap.Database.open(wall) as opened:
        images = opened.read_all_images()
        return {
            frozenset({image.name, other.name}): len(
                opened.read_two_view_geometry(image.image_id, other.image_id).inlier_matches
            )
            for number, image in enumerate(images)
            for other in images[:number]
            if opened.exists_two_view_geometry(image.image_id, other.image_id)
        }


def test_photos_that_overlap_have_verified_matches_and_others_have_none(wall: Path) -> None:
    match([("left.png", "right.png"), ("left.png", "other.png")], wall)
    counts = inliers(wall)
    assert counts.keys() == {frozenset({"left.png", "right.png"}), frozenset({"left.png", "other.png"})}
    assert counts[frozenset({"left.png", "right.png"})] > 100
    assert counts[frozenset({"left.png", "other.png"})] == 0


def test_pairs_that_are_matched_already_are_left_out(wall: Path) -> None:
    heard: list[tuple[float, str]] = []
    progress = StageProgress(lambda _, fraction, text="": heard.append((fraction, text)), Step.RECONSTRUCT)
    assert match([("left.png", "other.png")], wall) == 1
    assert match([("other.png", "left.png"), ("left.png", "right.png")], wall, progress) == 1
    assert heard[-1] == (1.0, "matched 1/1 pairs")
    assert len(inliers(wall)) == 2
    assert match([("left.png", "right.png")], wall) == 0


def test_forgotten_matches_are_found_again_and_guided_matching_finds_more(wall: Path) -> None:
    match([("left.png", "right.png"), ("left.png", "other.png")], wall)
    (plain,) = (count for count in inliers(wall).values() if count)
    assert registration.overlapping(wall) == [("left.png", "right.png")]
    registration.forget([("right.png", "left.png")], wall)
    assert registration.overlapping(wall) == []
    assert match([("left.png", "right.png")], wall, guided=True) == 1
    assert inliers(wall)[frozenset({"left.png", "right.png"})] > plain
