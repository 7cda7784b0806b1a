"""Users' photos: converts the sparse model to model coordinates, and to the names and sizes of the users' photos."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from reconstruction_operator.models.interface import Photo
from reconstruction_operator.models.photogrammetry.arrays import Doubles
from reconstruction_operator.models.photogrammetry.placing.frames import Frame
from reconstruction_operator.models.photogrammetry.sparse.cameras import Camera, pinhole
from reconstruction_operator.models.photogrammetry.sparse.mapping import AlignedPhoto, SparseModel


def placed(sparse: SparseModel, frame: Frame, originals: Mapping[str, Photo]) -> SparseModel:
    """Return `sparse` in the coordinates of `frame`. `originals` maps the name of each prepared photo to the user's photo."""
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


def reprojections(photo: AlignedPhoto, points: Doubles) -> Doubles:
    """(len(seen),): the reprojection error in px of each point that the photo sees."""
    focal, *principal = photo.camera.lens
    in_camera = points[photo.seen] @ photo.camera.rotation.T + photo.camera.translation
    straight = in_camera[:, :2] / in_camera[:, 2:]
    bent = straight * (1.0 + photo.radial * (straight**2).sum(axis=1, keepdims=True))
    errors: Doubles = np.linalg.norm(bent * focal + np.array(principal) - photo.pixels, axis=1)
    return errors
