"""COLMAP: what its own libraries must not do."""

from __future__ import annotations

import ctypes

from reconstruction_operator.models.photogrammetry.sparse import colmap


def test_features_are_matched_in_threads_because_faiss_computes_distances_without_blas() -> None:
    assert colmap.matching_threads(4) == 4
    library = ctypes.CDLL(colmap.pycolmap._core.__file__)
    assert ctypes.c_int.in_dll(library, colmap._BLAS_THRESHOLD).value > 1_000_000  # photos have thousands of features


def test_another_build_of_colmap_matches_in_one_thread() -> None:
    assert colmap.matching_threads(4, symbol="faiss_without_a_threshold") == 1
