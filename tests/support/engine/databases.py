"""Databases of features and matches for tests of the photogrammetry engine: of pictures, or synthesized without any."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
from reconstruction_operator.models.photogrammetry.arrays import Pixels
from reconstruction_operator.models.photogrammetry.input.photos import PreparedPhoto
from reconstruction_operator.models.photogrammetry.sparse import features
from reconstruction_operator.models.photogrammetry.sparse.colmap import pycolmap
from reconstruction_operator.models.photogrammetry.sparse.mapping import Matched

from tests.support.engine.geometry import QUIET


def of_pictures(folder: Path, pictures: Mapping[str, Pixels]) -> Path:
    """Write the pictures, which have one camera, to `folder`, and return the database of their features."""
    photos = []
    for name, picture in pictures.items():
        cv2.imwrite(str(folder / name), picture)
        photos.append(PreparedPhoto(name, name, picture.shape[1], picture.shape[0], 400.0, "camera"))
    database = folder / "features.db"
    features.extract(photos, folder, database, features=500, threads=1, progress=QUIET)
    return database


def synthesize(database: Path, photos: int, *, points: int = 100) -> Any:
    """Write the matches of a synthetic scene of COLMAP to `database`, and return the true reconstruction."""
    pycolmap.set_random_seed(1)
    options = pycolmap.SyntheticDatasetOptions()
    options.num_rigs, options.num_cameras_per_rig, options.num_frames_per_rig = 1, 1, photos
    options.num_points3D = points
    options.camera_has_prior_focal_length = True
    with pycolmap.Database.open(database) as opened:
        return pycolmap.synthesize_dataset(options, opened)


def forget_matches(database: Path, count: int) -> list[str]:
    """Delete all matches of the last `count` photos in `database`, and return their names."""
    with pycolmap.Database.open(database) as opened:
        images = opened.read_all_images()
        forgotten = images[-count:]
        for image in forgotten:
            for other in images:
                if other.image_id < image.image_id:
                    opened.delete_matches(image.image_id, other.image_id)
                    opened.delete_two_view_geometry(image.image_id, other.image_id)
        return [str(image.name) for image in forgotten]


def matched(database: Path, count: int) -> Matched:
    """Return the `count` photos in `database`, with a scratch folder beside it."""
    scratch = database.with_name("scratch")
    scratch.mkdir(exist_ok=True)
    return Matched(database, database.parent, scratch, count, seed=1, threads=1)
