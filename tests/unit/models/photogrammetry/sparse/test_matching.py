"""Matching of pairs: overlapping photos have verified matches, others have none, and pairs that are not named are left out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from reconstruction_operator.models.interface import Step
from reconstruction_operator.models.photogrammetry.progress import StageProgress
from reconstruction_operator.models.photogrammetry.sparse import matching
from reconstruction_operator.models.photogrammetry.sparse.colmap import pycolmap
from reconstruction_operator.models.photogrammetry.sparse.pairs import Pair

from tests.support.engine import databases, scenes
from tests.support.engine.geometry import QUIET

WIDTH, HEIGHT = 160, 120


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Features of `left.png` and `right.png`, which overlap by three quarters, and of `other.png`."""
    wall = scenes.noise(1, 2 * WIDTH, HEIGHT)
    shift = WIDTH // 4
    pictures = {
        "left.png": wall[:, :WIDTH],
        "right.png": wall[:, shift : shift + WIDTH],
        "other.png": wall[::-1, WIDTH:][:, ::-1],
    }
    return databases.of_pictures(tmp_path, pictures)


def match(pairs: Sequence[Pair], database: Path, progress: StageProgress = QUIET, *, guided: bool = False) -> int:
    scratch = database.with_name("pairs")
    scratch.mkdir(exist_ok=True)
    return matching.match(pairs, database, scratch, seed=1, threads=1, progress=progress, guided=guided)


def inliers(database: Path) -> dict[frozenset[str], int]:
    """The number of verified matches of each matched pair."""
    with pycolmap.Database.open(database) as opened:
        images = opened.read_all_images()
        return {
            frozenset({image.name, other.name}): len(
                opened.read_two_view_geometry(image.image_id, other.image_id).inlier_matches
            )
            for number, image in enumerate(images)
            for other in images[:number]
            if opened.exists_two_view_geometry(image.image_id, other.image_id)
        }


def test_photos_that_overlap_have_verified_matches_and_others_have_none(database: Path) -> None:
    match([("left.png", "right.png"), ("left.png", "other.png")], database)
    counts = inliers(database)
    assert counts.keys() == {frozenset({"left.png", "right.png"}), frozenset({"left.png", "other.png"})}
    assert counts[frozenset({"left.png", "right.png"})] > 100
    assert counts[frozenset({"left.png", "other.png"})] == 0


def test_pairs_that_are_matched_already_are_left_out(database: Path) -> None:
    heard: list[tuple[float, str]] = []
    progress = StageProgress(lambda _, fraction, text="": heard.append((fraction, text)), Step.RECONSTRUCT)
    assert match([("left.png", "other.png")], database) == 1
    assert match([("other.png", "left.png"), ("left.png", "right.png")], database, progress) == 1
    assert heard[-1] == (1.0, "matched 1/1 pairs")
    assert len(inliers(database)) == 2
    assert match([("left.png", "right.png")], database) == 0


def test_forgotten_matches_are_found_again_and_guided_matching_finds_more(database: Path) -> None:
    match([("left.png", "right.png"), ("left.png", "other.png")], database)
    (plain,) = (count for count in inliers(database).values() if count)
    assert matching.overlapping(database) == [("left.png", "right.png")]
    matching.forget([("right.png", "left.png")], database)
    assert matching.overlapping(database) == []
    assert match([("left.png", "right.png")], database, guided=True) == 1
    assert inliers(database)[frozenset({"left.png", "right.png"})] > plain
