"""Users' photos: converts the sparse model to model coordinates, and to the names and sizes of the users' photos."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from reconstruction_operator.models.interface import Photo
from reconstruction_operator.models.photogrammetry.arrays import Doubles
from reconstruction_operator.models.photogrammetry.placing.frames import Frame
from reconstruction_operator.models.photogrammetry.sparse.mapping import AlignedPhoto, SparseModel


def placed(sparse: SparseModel, frame: Frame, originals: Mapping[str, Photo]) -> SparseModel:
    """Return `sparse` in the coordinates of `frame`. `originals` maps the name of each prepared photo to the user's photo."""
    photos = tuple(_placed(photo, frame, originals[photo.name]) for photo in sparse.photos)
    left_out = tuple(replace(photo, name=originals[photo.name].path.name) for photo in sparse.left_out)
    return replace(sparse, photos=photos, points=frame.apply(sparse.points), left_out=left_out)


def _placed(photo: AlignedPhoto, frame: Frame, original: Photo) -> AlignedPhoto:
    across, down = original.width / photo.width, original.height / photo.height
    resized = np.array([across, down])  # nearly equal: the size of the prepared photo was rounded
    column, row = (np.array(photo.principal) + 0.5) * resized - 0.5
    rotation = photo.rotation @ frame.rotation.T
    translation: Doubles = frame.scale * (photo.rotation @ frame.origin + photo.translation)
    return replace(
        photo,
        name=original.path.name,
        width=original.width,
        height=original.height,
        focal=photo.focal * (across + down) / 2,
        principal=(float(column), float(row)),
        rotation=rotation,
        translation=translation,
        pixels=(photo.pixels + 0.5) * resized - 0.5,
    )


def reprojections(photo: AlignedPhoto, points: Doubles) -> Doubles:
    """(len(seen),): the reprojection error in px of each point that the photo sees."""
    in_camera = points[photo.seen] @ photo.rotation.T + photo.translation
    straight = in_camera[:, :2] / in_camera[:, 2:]
    bent = straight * (1.0 + photo.radial * (straight**2).sum(axis=1, keepdims=True))
    errors: Doubles = np.linalg.norm(bent * photo.focal + np.array(photo.principal) - photo.pixels, axis=1)
    return errors
