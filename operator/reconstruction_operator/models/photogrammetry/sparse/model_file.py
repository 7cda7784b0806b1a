"""Sparse model file: writes a sparse model and reads it back, equal to the last digit."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from reconstruction_operator.models.photogrammetry.sparse.cameras import Camera, Radial, pinhole
from reconstruction_operator.models.photogrammetry.sparse.mapping import AlignedPhoto, LeftOut, SparseModel, Why

_NAME = "sparse.npz"


def write(folder: Path, model: SparseModel) -> None:
    """Write the model to the folder, in numpy's format without pickles."""
    photos = model.photos
    np.savez(
        folder / _NAME,
        names=np.array([photo.name for photo in photos]),
        sizes=np.array([[photo.camera.width, photo.camera.height] for photo in photos]),
        intrinsics=np.array([[*photo.camera.lens, photo.radial.first, photo.radial.second] for photo in photos]),
        rotations=np.stack([photo.camera.rotation for photo in photos]),
        translations=np.stack([photo.camera.translation for photo in photos]),
        seen=np.concatenate([photo.seen for photo in photos]),
        seen_counts=np.array([len(photo.seen) for photo in photos]),
        pixels=np.concatenate([photo.pixels for photo in photos]),
        points=model.points,
        reprojection_error_px=np.array(model.reprojection_error_px),
        left_out=np.array([[photo.name, photo.why.name] for photo in model.left_out], dtype=np.str_).reshape(-1, 2),
    )


def read(folder: Path) -> SparseModel:
    """Return the model that `write` has written to the folder. Raises ValueError for any other file."""
    try:
        with (folder / _NAME).open("rb") as content, np.load(content) as file:
            return _sparse(file)
    except Exception as error:  # zipfile and numpy raise almost anything for hostile bytes
        raise ValueError(f"{_NAME} is damaged: {error}") from error


def _sparse(file: Mapping[str, Any]) -> SparseModel:
    ends = np.cumsum(file["seen_counts"])[:-1]
    columns = [file[name] for name in ("names", "sizes", "intrinsics", "rotations", "translations")]
    rows = zip(*columns, np.split(file["seen"], ends), np.split(file["pixels"], ends), strict=True)
    photos = tuple(
        AlignedPhoto(
            name=str(name),
            camera=Camera(pinhole(*lens), rotation, translation, int(width), int(height)),
            radial=Radial(float(first), float(second)),
            seen=seen,
            pixels=pixels,
        )
        for name, (width, height), (*lens, first, second), rotation, translation, seen, pixels in rows
    )
    left_out = tuple(LeftOut(str(name), Why[str(why)]) for name, why in file["left_out"])
    return SparseModel(photos, file["points"], float(file["reprojection_error_px"]), left_out)
