from __future__ import annotations

from operator import attrgetter
from pathlib import Path

import numpy as np
from reconstruction_operator.models.photogrammetry.sparse import model_file
from reconstruction_operator.models.photogrammetry.sparse.cameras import Camera, Radial, pinhole
from reconstruction_operator.models.photogrammetry.sparse.mapping import AlignedPhoto, LeftOut, SparseModel, Why


def sparse_model() -> SparseModel:
    rng = np.random.default_rng(1)
    photos = tuple(
        AlignedPhoto(
            f"{index:04d}.jpg",
            Camera(
                pinhole(500.0 + index / 3, 319.5, 239.5 - index / 7),
                rng.normal(size=(3, 3)),
                rng.normal(size=3),
                640,
                480,
            ),
            Radial(0.01 / (index + 1), 0.003 / (index + 1)),
            np.arange(index, 5 + 2 * index, dtype=np.int64),
            rng.normal(size=(5 + index, 2)),
        )
        for index in range(3)
    )
    left_out = (LeftOut("0003.jpg", Why.NO_MATCHES), LeftOut("0004.jpg", Why.NO_FEATURES))
    return SparseModel(photos, rng.normal(size=(9, 3)), 0.4321, left_out)


def test_a_sparse_model_is_read_back_to_the_last_digit(tmp_path: Path) -> None:
    first = sparse_model()
    model_file.write(tmp_path, first)
    second = model_file.read(tmp_path)
    assert second.reprojection_error_px == first.reprojection_error_px
    assert second.left_out == first.left_out
    assert np.array_equal(second.points, first.points)
    for photo, other in zip(first.photos, second.photos, strict=True):
        plain = attrgetter("name", "radial", "camera.width", "camera.height")
        assert plain(photo) == plain(other)
        arrays = attrgetter("camera.intrinsics", "camera.rotation", "camera.translation", "seen", "pixels")
        for written, read in zip(arrays(photo), arrays(other), strict=True):
            assert np.array_equal(written, read)
            assert written.dtype == read.dtype
