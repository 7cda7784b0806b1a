"""Camera files: writes `cameras.json`, and the sparse model in COLMAP's binary format.

Both use the coordinates of the mesh, and the names and sizes of the users' photos. docs/results.md describes
`cameras.json`, and colmap.github.io/format.html describes COLMAP's format, which viewers and trainers of radiance
fields read.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from reconstruction_operator.models.interface import Photo
from reconstruction_operator.models.photogrammetry.arrays import Doubles, Pixels
from reconstruction_operator.models.photogrammetry.placing.upright import Frame
from reconstruction_operator.models.photogrammetry.sparse.cameras import Camera, pinhole
from reconstruction_operator.models.photogrammetry.sparse.colmap import add_photo, pycolmap
from reconstruction_operator.models.photogrammetry.sparse.mapping import AlignedPhoto, SparseModel

COORDINATES = "of model.glb: right-handed, +Y up, centred, in a box of side 1, or in metres with markerSize"
_FORMAT, _VERSION = "reconstruction-operator/cameras", 1


def placed(sparse: SparseModel, frame: Frame, originals: Mapping[str, Photo]) -> SparseModel:
    """Return `sparse` in the coordinates of `frame`.

    `originals` maps the name of each prepared photo to the user's photo.
    """
    photos = tuple(_placed(photo, frame, originals[photo.name]) for photo in sparse.photos)
    left_out = tuple(replace(photo, name=originals[photo.name].path.name) for photo in sparse.left_out)
    return replace(sparse, photos=photos, points=frame.apply(sparse.points), left_out=left_out)


def _placed(photo: AlignedPhoto, frame: Frame, original: Photo) -> AlignedPhoto:
    camera, (focal, column, row) = photo.camera, photo.camera.lens
    across, down = original.width / camera.width, original.height / camera.height  # nearly equal: sizes are rounded
    lens = pinhole(focal * (across + down) / 2, (column + 0.5) * across - 0.5, (row + 0.5) * down - 0.5)
    rotation = camera.rotation @ frame.rotation.T
    translation: Doubles = frame.scale * (camera.rotation @ frame.origin + camera.translation)
    return replace(
        photo,
        name=original.path.name,
        camera=Camera(lens, rotation, translation, original.width, original.height),
        pixels=(photo.pixels + 0.5) * np.array([across, down]) - 0.5,
    )


def write_json(path: Path, model: SparseModel) -> None:
    """Write the intrinsics and the pose of each photo of the placed `model`, and the photos left out."""
    content = {
        "format": _FORMAT,
        "version": _VERSION,
        "coordinates": COORDINATES,
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
        "k1": photo.radial.first,
        "k2": photo.radial.second,
        "rotation": camera.rotation.tolist(),
        "translation": camera.translation.tolist(),
        "position": camera.centre.tolist(),
        "points": len(photo.seen),
        "reprojectionErrorPx": round(float(photo.errors(points).mean()), 4),
    }


def write_colmap(folder: Path, model: SparseModel, colours: Pixels) -> None:
    """Write `cameras.bin`, `images.bin` and `points3D.bin` of the placed `model`; `colours` (points, 3) are of its
    points.
    """
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
