from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from reconstruction_operator.models.photogrammetry.arrays import Integers
from reconstruction_operator.models.photogrammetry.sparse import pairs
from reconstruction_operator.models.photogrammetry.sparse.pairs import Descriptors, Pair

from tests.support.engine import databases, scenes


def places(count: int) -> Integers:
    """The place of each photo on a straight walk, in the order of their names, which is random."""
    return np.random.default_rng(1).permutation(count)


def walk(count: int) -> Descriptors:
    """Descriptors of photos that are similar if they are near each other on the walk."""
    near = np.exp(-((places(count)[:, None] - np.arange(count)) ** 2) / 50.0)
    vectors = (near / np.linalg.norm(near, axis=1, keepdims=True)).astype(np.float32)
    return Descriptors(tuple(f"{index:04d}.jpg" for index in range(count)), vectors)


def apart(chosen: list[Pair], on: Integers) -> set[int]:
    """The distances between the photos of each pair."""
    return {abs(int(on[int(first[:4])] - on[int(other[:4])])) for first, other in chosen}


def is_each_once(chosen: list[Pair]) -> bool:
    return len(chosen) == len({frozenset(pair) for pair in chosen}) and all(first != other for first, other in chosen)


@pytest.mark.parametrize("count", [21, 66, 200])
def test_photos_of_a_larger_set_are_paired_with_similar_photos(count: int) -> None:
    chosen = pairs.similar(walk(count))
    assert is_each_once(chosen)
    assert len(chosen) <= 12 * count
    near = {frozenset(pair) for pair in chosen}
    order = np.argsort(places(count))
    assert all(
        frozenset({f"{photo:04d}.jpg", f"{other:04d}.jpg"}) in near
        for photo, other in zip(order, order[4:], strict=False)
    )


def test_photos_are_paired_with_neighbours_by_name_in_a_ring() -> None:
    """Also with farther ones, so that a dense set has pairs with parallax."""
    descriptors = walk(1000)
    chosen = {frozenset(pair) for pair in pairs.similar(descriptors)}
    for offset in (1, 2, 25, 50):
        assert {
            frozenset(pair) for pair in zip(descriptors.names, np.roll(descriptors.names, offset), strict=True)
        } <= chosen


def test_photos_left_out_are_paired_with_aligned_ones_alone() -> None:
    descriptors = walk(100)
    where = places(100)
    left_out, aligned = descriptors.names[:5], descriptors.names[5:]
    chosen = pairs.towards(descriptors, left_out, aligned)
    assert is_each_once(chosen)
    assert len(chosen) == 5 * 30
    assert {photo for photo, _ in chosen} == set(left_out)
    assert {other for _, other in chosen} <= set(aligned)
    assert max(apart(chosen, where)) < 40


def test_photos_left_out_are_paired_with_what_overlaps_with_their_neighbours() -> None:
    overlapping = [("a", "b"), ("c", "b"), ("b", "d"), ("d", "e")]
    assert pairs.around(overlapping, {"a"}) == [("a", "c"), ("a", "d")]
    assert pairs.around(overlapping, {"e"}) == [("b", "e")]
    assert pairs.around(overlapping, set()) == []


WIDTH, HEIGHT = 160, 120
COLUMNS = {"d.png": 0, "b.png": 40, "e.png": 80, "a.png": 600, "c.png": 640}  # where on the wall each photo begins


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("descriptors")
    wall = scenes.noise(1, 5 * WIDTH, HEIGHT)
    pictures = {name: wall[:, column : column + WIDTH] for name, column in COLUMNS.items()}
    pictures["blank.png"] = np.full((HEIGHT, WIDTH), 128, np.uint8)
    return databases.of_pictures(folder, pictures)


@pytest.fixture(scope="module")
def descriptors(database: Path) -> Descriptors:
    return pairs.of_photos(database, seed=1)


def test_overlapping_photos_are_more_similar_than_others(descriptors: Descriptors) -> None:
    assert descriptors.names == ("a.png", "b.png", "blank.png", "c.png", "d.png", "e.png")
    a, b, _, c, d, e = range(6)
    overlapping = [descriptors.similarity[pair] for pair in ((d, b), (b, e), (a, c))]
    others = [descriptors.similarity[first, other] for first in (a, c) for other in (b, d, e)]
    assert min(overlapping) > 2 * max(0.1, *others)


def test_a_photo_without_features_is_similar_to_no_other(descriptors: Descriptors) -> None:
    assert not descriptors.similarity[descriptors.names.index("blank.png")].any()


def test_the_same_seed_gives_the_same_descriptors(descriptors: Descriptors, database: Path) -> None:
    assert np.array_equal(pairs.of_photos(database, seed=1).vectors, descriptors.vectors)
    assert not np.array_equal(pairs.of_photos(database, seed=2).vectors, descriptors.vectors)
