"""Camera files: writes `cameras.json`, and the sparse model in COLMAP's binary format.

Both use the coordinates of the mesh. docs/results.md describes `cameras.json`, and colmap.github.io/format.html describes COLMAP's format,
which viewers and trainers of radiance fields read.
"""

from __future__ import annotations

import json
from pathlib import Path

from reconstruction_operator.models.photogrammetry.arrays import Doubles, Pixels
from reconstruction_operator.models.photogrammetry.output.userphotos import reprojections
from reconstruction_operator.models.photogrammetry.sparse.colmap import add_photo, pycolmap
from reconstruction_operator.models.photogrammetry.sparse.mapping import AlignedPhoto, SparseModel

_FORMAT, _VERSION = "reconstruction-operator/cameras", 1


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
    written = pycolmap.Reconstruction()
    tracks = [pycolmap.Track() for _ in model.points]
    for number, photo in enumerate(model.photos, start=1):
        add_photo(written, number, photo.name, photo.camera, photo.pixels, radial=photo.radial)
        for index, point in enumerate(photo.seen):
            tracks[point].add_element(number, index)
    for position, track, colour in zip(model.points, tracks, colours, strict=True):
        if track.length():  # without a track, only photos with too few points saw it
            written.add_point3D(position, track, colour)
    written.update_point_3d_errors()
    written.write(folder)
    for name in ("rigs.bin", "frames.bin"):  # each photo is its own; many readers do not know these files
        (folder / name).unlink()
