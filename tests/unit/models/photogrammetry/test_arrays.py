from __future__ import annotations

from operator import attrgetter
from pathlib import Path

import numpy as np
from reconstruction_operator.models.photogrammetry import arrays
from reconstruction_operator.models.photogrammetry.surface.surface import Samples


def test_arrays_and_numbers_are_read_back_to_the_last_digit(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    samples = Samples(rng.normal(size=(7, 3)), rng.normal(size=(7, 3)), 1 / 3, 8, rng.normal(size=(9, 3)), 12)
    arrays.write(tmp_path, samples)
    read = arrays.read(Samples, tmp_path)
    for of_arrays in (attrgetter("points"), attrgetter("normals"), attrgetter("spread")):
        assert np.array_equal(of_arrays(read), of_arrays(samples))
    assert (read.cell, read.octree_depth, read.dense_points) == (
        samples.cell,
        samples.octree_depth,
        samples.dense_points,
    )
    assert isinstance(read.dense_points, int)  # it is a number of the quality, which is JSON
