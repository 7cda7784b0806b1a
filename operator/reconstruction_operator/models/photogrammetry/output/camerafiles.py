"""Camera files: writes `cameras.json`, and the sparse model in COLMAP's binary format.

Both use the coordinates of the mesh. docs/results.md describes `cameras.json`, and colmap.github.io/format.html describes COLMAP's format,
which viewers and trainers of radiance fields read.
"""

from __future__ import annotations

import json
import os
import struct
from pathlib import Path

import numpy as np

from reconstruction_operator.models.photogrammetry.arrays import Doubles, Pixels
from reconstruction_operator.models.photogrammetry.output.userphotos import reprojections
from reconstruction_operator.models.photogrammetry.sparse.mapping import AlignedPhoto, SparseModel

_FORMAT, _VERSION = "reconstruction-operator/cameras", 1
_SIMPLE_RADIAL = 2  # COLMAP's number of the camera model
_POINT = np.dtype([("xy", "<f8", 2), ("point", "<u8")])
_TRACK = np.dtype([("image", "<u4"), ("index", "<u4")])


def write_json(path: Path, model: SparseModel) -> None:
    """Write the intrinsics and the pose of each photo of the placed `model`, and the photos left out."""
    content = {
        "format": _FORMAT,
        "version": _VERSION,
        "coordinates": "of model.glb: right-handed, +Y up, centred, in a box of side 1",
        "cameraAxes": "x right, y down, z forward",
        "pixels": "of the upright photo, from the centre of the upper left pixel",
        "photos": [_described(photo, model.points) for photo in model.photos],
        "leftOut": [{"name": photo.name, "reason": str(photo.why)} for photo in model.left_out],
    }
    path.write_text(json.dumps(content, indent=1) + "\n")


def _described(photo: AlignedPhoto, points: Doubles) -> dict[str, object]:
    camera, (focal, column, row) = photo.camera, photo.camera.lens
    return {
        "name": photo.name,
        "width": camera.width,
        "height": camera.height,
        "fx": focal,
        "fy": focal,
        "cx": column,
        "cy": row,
        "k1": photo.radial,
        "rotation": camera.rotation.tolist(),
        "translation": camera.translation.tolist(),
        "position": camera.centre.tolist(),
        "points": len(photo.seen),
        "reprojectionErrorPx": round(float(reprojections(photo, points).mean()), 4),
    }


def write_colmap(folder: Path, model: SparseModel, colours: Pixels) -> None:
    """Write `cameras.bin`, `images.bin` and `points3D.bin` of the placed `model`; `colours` (points, 3) are of its points."""
    folder.mkdir()
    (folder / "cameras.bin").write_bytes(_counted([_camera(number, photo) for number, photo in _numbered(model)]))
    (folder / "images.bin").write_bytes(_counted([_image(number, photo) for number, photo in _numbered(model)]))
    (folder / "points3D.bin").write_bytes(_points(model, colours))


def _numbered(model: SparseModel) -> list[tuple[int, AlignedPhoto]]:
    return list(enumerate(model.photos, start=1))


def _counted(records: list[bytes]) -> bytes:
    return struct.pack("<Q", len(records)) + b"".join(records)


def _camera(number: int, photo: AlignedPhoto) -> bytes:
    focal, column, row = photo.camera.lens
    # In COLMAP, pixel centres are at halves.
    values = (focal, column + 0.5, row + 0.5, photo.radial)
    return struct.pack("<IiQQ4d", number, _SIMPLE_RADIAL, photo.camera.width, photo.camera.height, *values)


def _image(number: int, photo: AlignedPhoto) -> bytes:
    points = np.empty(len(photo.seen), _POINT)
    points["xy"], points["point"] = photo.pixels + 0.5, photo.seen + 1
    pose = struct.pack("<I7dI", number, *quaternion(photo.camera.rotation), *photo.camera.translation, number)
    return pose + os.fsencode(photo.name) + b"\0" + struct.pack("<Q", len(points)) + points.tobytes()


def _points(model: SparseModel, colours: Pixels) -> bytes:
    seen = np.concatenate([photo.seen for photo in model.photos])
    tracks = np.empty(len(seen), _TRACK)
    tracks["image"] = np.repeat(np.arange(len(model.photos)) + 1, [len(photo.seen) for photo in model.photos])
    tracks["index"] = np.concatenate([np.arange(len(photo.seen)) for photo in model.photos])
    errors = np.concatenate([reprojections(photo, model.points) for photo in model.photos])
    order = np.argsort(seen, kind="stable")
    tracks = tracks[order]
    lengths = np.bincount(seen, minlength=len(model.points))
    means = np.bincount(seen, errors, len(model.points)) / np.maximum(lengths, 1)
    starts = np.concatenate([[0], np.cumsum(lengths)])
    # A point without a track is left out: only photos with too few points saw it.
    return _counted(
        [
            struct.pack("<Q3d3BdQ", index + 1, *model.points[index], *colours[index], means[index], lengths[index])
            + tracks[starts[index] : starts[index + 1]].tobytes()
            for index in np.flatnonzero(lengths)
        ]
    )


def quaternion(rotation: Doubles) -> tuple[float, float, float, float]:
    """Return w, x, y, z of a rotation matrix, with w >= 0.

    It is the eigenvector of the largest eigenvalue (Bar-Itzhack 2000, "New method for extracting the quaternion from a rotation
    matrix"). This needs no branches, and is exact for half turns.
    """
    (a, b, c), (d, e, f), (g, h, i) = rotation
    symmetric = np.array(
        [
            [a + e + i, h - f, c - g, d - b],
            [h - f, a - e - i, b + d, c + g],
            [c - g, b + d, e - a - i, f + h],
            [d - b, c + g, f + h, i - a - e],
        ]
    )
    _, vectors = np.linalg.eigh(symmetric)
    w, x, y, z = vectors[:, -1] * (1.0 if vectors[0, -1] >= 0 else -1.0)
    return float(w), float(x), float(y), float(z)
