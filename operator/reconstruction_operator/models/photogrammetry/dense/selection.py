"""Selection: which aligned photos give depth and colour.

A blurred photo may be aligned, by its coarse features, but its camera is off by several pixels, and its depth and
colours are wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from reconstruction_operator.models.photogrammetry import parallel
from reconstruction_operator.models.photogrammetry.arrays import Doubles, Singles
from reconstruction_operator.models.photogrammetry.dense.views import choose_sources
from reconstruction_operator.models.photogrammetry.input.photos import read_pixels
from reconstruction_operator.models.photogrammetry.progress import StageProgress
from reconstruction_operator.models.photogrammetry.sparse.mapping import AlignedPhoto, SparseModel

_MOST_ERROR = 2.0  # times the median reprojection error of all photos; a weak side of a small set reaches 3
_LEAST_SHARPNESS = 0.5  # of the neighbours', with such an error; focus and light alone reach 0.45
_BLURRED = 0.4  # the same with any error
_DIRECTIONS = (  # second derivatives: motion blurs along one of them
    np.array([[0, 0, 0], [1, -2, 1], [0, 0, 0]], dtype=np.float32),
    np.array([[0, 1, 0], [0, -2, 0], [0, 1, 0]], dtype=np.float32),
    np.array([[1, 0, 0], [0, -2, 0], [0, 0, 1]], dtype=np.float32),
    np.array([[0, 0, 1], [0, -2, 0], [1, 0, 0]], dtype=np.float32),
)
_NEIGHBOURS = 6
_SHARPER_NEIGHBOURS = 0.75  # quantile: most neighbours of a blurred photo may be blurred, too
_FEWEST_COMMON = 20  # points, for a comparison of two photos
_OTHERS = 2  # photos that show a point without the photo
_LEAST_OTHERS_SHARE = 0.8  # of a photo's points, that others show as well
_FEWEST_PHOTOS = 3
_REDUCED = 2  # photos are read in half of their size: the blur of a pixel does no harm
_AROUND_PX = 3.0  # standard deviation of the window over which contrast is averaged
_LEAST_CONTRAST = 0.5  # level; smaller contrast is noise


def trusted(model: SparseModel, pictures: Path, *, threads: int, progress: StageProgress) -> SparseModel:
    """Return `model` without photos that are blurred, as their sharper neighbours show, while others show the same.

    The files of the photos are in the folder `pictures`.
    """
    contrasts = parallel.each(
        lambda photo: _contrast(photo, pictures),
        model.photos,
        threads,
        lambda done, of: progress(done / of, f"sharpness of photo {done}/{of}"),
    )
    errors = np.array([float(photo.errors(model.points).mean()) for photo in model.photos])
    sharpness = relative_sharpness(model, contrasts)
    least = np.where(errors > _MOST_ERROR * np.median(errors), _LEAST_SHARPNESS, _BLURRED)
    return replace(model, photos=_kept(model, sharpness / least))


def relative_sharpness(model: SparseModel, contrasts: Sequence[Singles]) -> Doubles:
    """(photos,): the contrast of each photo, relative to that of its sharper neighbours at common points, in its worst
    direction.

    `contrasts` has the contrast of each photo around each point that it sees, in each direction.
    """
    sharpness = np.ones(len(model.photos))
    neighbours = choose_sources(model, [photo.camera for photo in model.photos], _NEIGHBOURS)
    for index, photo in enumerate(model.photos):
        ratios = []
        for other in neighbours[index]:
            _, here, there = np.intersect1d(
                photo.seen, model.photos[other].seen, assume_unique=True, return_indices=True
            )
            if len(here) >= _FEWEST_COMMON:
                ratios.append(np.median(contrasts[other][there] / contrasts[index][here], axis=0))
        if ratios:
            sharpness[index] = 1.0 / np.quantile(ratios, _SHARPER_NEIGHBOURS, axis=0).max()
    return sharpness


def _kept(model: SparseModel, quality: Doubles) -> tuple[AlignedPhoto, ...]:
    """Return the photos without those of `quality` (photos,) below 1, the worst first, as long as others show their
    points.
    """
    counts = np.bincount(np.concatenate([photo.seen for photo in model.photos]), minlength=len(model.points))
    kept = list(model.photos)
    for index in np.argsort(quality):
        photo = model.photos[index]
        if quality[index] >= 1.0 or len(kept) <= _FEWEST_PHOTOS:
            break
        if (counts[photo.seen] > _OTHERS).mean() >= _LEAST_OTHERS_SHARE:
            counts[photo.seen] -= 1
            kept.remove(photo)
    return tuple(kept)


def _contrast(photo: AlignedPhoto, pictures: Path) -> Singles:
    """(len(seen), directions): the contrast of neighbouring pixels, in levels, around each point
    that the photo sees.
    """
    grey = read_pixels(pictures / photo.name, cv2.IMREAD_REDUCED_GRAYSCALE_2)
    edges = np.stack(
        [
            cv2.GaussianBlur(np.abs(cv2.filter2D(grey, cv2.CV_32F, kernel)), (0, 0), _AROUND_PX)
            for kernel in _DIRECTIONS
        ],
        axis=2,
    )
    height, width = grey.shape
    column, row = np.clip(photo.pixels / _REDUCED, 0, np.array([width - 1, height - 1])).astype(np.int64).T
    return np.asarray(edges[row, column] + _LEAST_CONTRAST, dtype=np.float32)
