"""COLMAP: features may be matched in threads only if FAISS does not use the BLAS of COLMAP's package."""

from __future__ import annotations

import ctypes
from dataclasses import replace
from pathlib import Path

import pytest
from reconstruction_operator.models.photogrammetry.sparse import colmap, registration

from tests.support.engine import databases, scenes
from tests.support.engine.geometry import QUIET


def test_faiss_computes_distances_of_all_features_of_a_photo_without_blas() -> None:
    library = ctypes.CDLL(colmap.pycolmap._core.__file__)
    assert ctypes.c_int.in_dll(library, colmap._BLAS_THRESHOLD).value > 1_000_000
    assert colmap.IS_SAFE_IN_THREADS


def test_a_build_without_the_threshold_is_not_safe_in_threads() -> None:
    assert not colmap._computes_without_blas("faiss_without_a_threshold")


@pytest.mark.parametrize(("is_safe", "threads"), [(True, 4), (False, 1)])
def test_features_are_matched_in_threads_only_where_that_is_safe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_safe: bool, threads: int
) -> None:
    pictures = {f"{index}.png": scenes.box_photo(camera, 1) for index, camera in enumerate(scenes.around(2, size=300))}
    photos = replace(databases.matched(databases.of_pictures(tmp_path, pictures), 2), threads=4)
    used: list[int] = []
    monkeypatch.setattr(registration, "IS_SAFE_IN_THREADS", is_safe)
    monkeypatch.setattr(
        colmap.pycolmap,
        "match_image_pairs",
        lambda _, *, matching_options, **__: used.append(matching_options.num_threads),
    )
    registration.match([("0.png", "1.png")], photos, QUIET)
    assert used == [threads]
