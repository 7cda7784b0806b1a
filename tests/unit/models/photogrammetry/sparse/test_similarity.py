"""Image similarity: computed photos of the same part of a wall are the most similar."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from reconstruction_operator.models.photogrammetry.sparse import similarity

from tests.support.engine import databases, scenes

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
def descriptors(database: Path) -> similarity.Descriptors:
    return similarity.of_photos(database, seed=1)


def test_overlapping_photos_are_more_similar_than_others(descriptors: similarity.Descriptors) -> None:
    assert descriptors.names == ("a.png", "b.png", "blank.png", "c.png", "d.png", "e.png")
    a, b, _, c, d, e = range(6)
    overlapping = [descriptors.similarity[pair] for pair in ((d, b), (b, e), (a, c))]
    others = [descriptors.similarity[first, other] for first in (a, c) for other in (b, d, e)]
    assert min(overlapping) > 2 * max(0.1, *others)


def test_a_photo_without_features_is_similar_to_no_other(descriptors: similarity.Descriptors) -> None:
    assert not descriptors.similarity[descriptors.names.index("blank.png")].any()


def test_the_same_seed_gives_the_same_descriptors(descriptors: similarity.Descriptors, database: Path) -> None:
    assert np.array_equal(similarity.of_photos(database, seed=1).vectors, descriptors.vectors)
    assert not np.array_equal(similarity.of_photos(database, seed=2).vectors, descriptors.vectors)
