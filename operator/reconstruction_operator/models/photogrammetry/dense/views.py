"""Views: undistorted photos, each with the neighbouring views that are suitable for stereo; in grey at the size of
depth maps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from scipy import sparse

from reconstruction_operator.models.interface import mask_of
from reconstruction_operator.models.photogrammetry import parallel
from reconstruction_operator.models.photogrammetry.arrays import Doubles, Mask, Pixels, Singles
from reconstruction_operator.models.photogrammetry.dense import blank_areas
from reconstruction_operator.models.photogrammetry.input.photos import read_pixels, write_pixels
from reconstruction_operator.models.photogrammetry.progress import StageProgress
from reconstruction_operator.models.photogrammetry.sparse.cameras import Camera, reduced_camera
from reconstruction_operator.models.photogrammetry.sparse.mapping import AlignedPhoto, SparseModel

_BEST_ANGLE_DEG = 8.0  # between two lines of sight: enough parallax, little change in appearance
_SIGMA_BELOW_DEG = 4.0
_SIGMA_ABOVE_DEG = 12.0
_FEWEST_COMMON_POINTS = 10
_JPEG_QUALITY = 97
_SHOWN = 255  # level of a view's mask where the photo shows a surface
_OUTSIDE = 128  # the same where there is a black border around the photo
_BLANK = 0  # the same where there is sky, or where the photo's mask is black
_BLANK_GREY = 128  # what the photo's mask leaves out gets no texture, so that nothing is matched there
_NEARER = 0.8  # minimum depth, as a factor of the depth of the nearest sparse points
_FARTHER = 1.3  # maximum depth, as a factor of the depth of the farthest
_HELD = 32  # cached grey views: enough for the neighbours of the views that all threads work on


@dataclass(frozen=True, eq=False, slots=True)
class View:
    """An aligned photo. `near` and `far` limit the depth of the visible surface."""

    name: str
    path: Path  # of the undistorted photo, which is read on demand: hundreds do not fit into memory
    camera: Camera
    near: float
    far: float
    sources: tuple[int, ...]  # indices of the views to compare with, best first
    mask: Path | None = None  # in three levels; None: the photo shows a surface everywhere

    def shows(self, pixels: Doubles) -> Mask:
        """(n,): whether the photo shows a surface at `pixels` (n, 2), which are inside the photo."""
        if self.mask is None:
            return np.ones(len(pixels), dtype=np.bool_)
        column, row = np.rint(pixels).astype(np.int64).T
        shown: Mask = read_pixels(self.mask, cv2.IMREAD_GRAYSCALE)[row, column] == _SHOWN
        return shown

    def blank(self, pixels: Doubles, margin_px: int) -> Mask:
        """(n,): whether all is blank within `margin_px` of `pixels` (n, 2), which are inside the photo.

        Blank is sky, and where the photo's mask is black.
        """
        if self.mask is None:
            return np.zeros(len(pixels), dtype=np.bool_)
        column, row = np.rint(pixels).astype(np.int64).T
        window = np.ones((2 * margin_px + 1, 2 * margin_px + 1), np.uint8)
        blank: Mask = cv2.dilate(read_pixels(self.mask, cv2.IMREAD_GRAYSCALE), window)[row, column] == _BLANK
        return blank

    def shown(self, width: int, height: int) -> Mask:
        """(height, width): where the photo shows a surface, reduced to that size."""
        if self.mask is None:
            return np.ones((height, width), dtype=np.bool_)
        mask = read_pixels(self.mask, cv2.IMREAD_GRAYSCALE)
        shown: Mask = cv2.resize(mask, (width, height), interpolation=cv2.INTER_NEAREST) == _SHOWN
        return shown

    def image(self) -> Pixels:
        """(height, width, 3): the RGB pixels."""
        return read_pixels(self.path, cv2.IMREAD_COLOR_RGB)


def undistort(
    model: SparseModel,
    pictures: Path,
    output: Path,
    *,
    threads: int,
    progress: StageProgress,
) -> None:
    """Undistort the photos of `model` into the folder `output`; they and their masks are files in `pictures`."""
    parallel.each(
        lambda photo: _undistort(photo, model.points[photo.seen], pictures, output),
        model.photos,
        threads,
        lambda done, of: progress(done / of, f"undistorted {done}/{of}"),
    )


def sources_of(model: SparseModel, count: int) -> list[tuple[int, ...]]:
    """Return for the view of each photo of `model` up to `count` sources, as `View.sources`."""
    return choose_sources(model, [_undistorted_camera(photo) for photo in model.photos], count)


def of_model(model: SparseModel, folder: Path, sources: Sequence[tuple[int, ...]]) -> list[View]:
    """Return the views of undistorted photos (files in `folder`), with the `sources` of each (`sources_of`)."""
    cameras = [_undistorted_camera(photo) for photo in model.photos]
    views = []
    for photo, camera, neighbours in zip(model.photos, cameras, sources, strict=True):
        near, far = depth_range(camera, model.points[photo.seen])
        mask = folder / mask_of(photo.name)
        views.append(
            View(photo.name, folder / photo.name, camera, near, far, neighbours, mask if mask.exists() else None)
        )
    return views


def choose_sources(model: SparseModel, cameras: Sequence[Camera], count: int) -> list[tuple[int, ...]]:
    """Return for each photo up to `count` other photos with the highest scores.

    Each sparse point that both photos see adds to the score, by the angle between the two lines of sight: most at a few
    degrees (the score of Yao et al. 2018, "MVSNet").
    """
    chosen: list[tuple[int, ...]] = []
    rows = np.repeat(np.arange(len(model.photos)), [len(photo.seen) for photo in model.photos])
    sees = sparse.coo_array(
        (np.ones(len(rows)), (rows, np.concatenate([photo.seen for photo in model.photos])))
    ).tocsr()
    common_points = (sees @ sees.T).tocsr()  # their numbers; most of a large set's pairs have none
    for index, photo in enumerate(model.photos):
        scores = []
        row = common_points[[index]].tocoo()
        for other_index in row.col[row.data >= _FEWEST_COMMON_POINTS].tolist():
            if other_index == index:
                continue
            common = np.intersect1d(photo.seen, model.photos[other_index].seen, assume_unique=True)
            angles = _angles_deg(model.points[common], cameras[index].centre, cameras[other_index].centre)
            sigma = np.where(angles < _BEST_ANGLE_DEG, _SIGMA_BELOW_DEG, _SIGMA_ABOVE_DEG)
            score = np.exp(-(((angles - _BEST_ANGLE_DEG) / sigma) ** 2) / 2).sum()
            scores.append((float(score), other_index))
        chosen.append(tuple(other for _, other in sorted(scores, reverse=True)[:count]))
    return chosen


def depth_range(camera: Camera, points: Doubles) -> tuple[float, float]:
    """Return the minimum and maximum depth to search, from the sparse points that the photo sees."""
    _, depth = camera.project(points)
    depth = depth[depth > 0]
    low, high = np.percentile(depth, [2, 98])
    return float(low) * _NEARER, float(high) * _FARTHER


def _angles_deg(points: Doubles, first: Doubles, second: Doubles) -> Doubles:
    to_first, to_second = first - points, second - points
    lengths = np.linalg.norm(to_first, axis=1) * np.linalg.norm(to_second, axis=1)
    cosines = (to_first * to_second).sum(axis=1) / np.maximum(lengths, np.finfo(float).tiny)
    angles: Doubles = np.degrees(np.arccos(np.clip(cosines, -1.0, 1.0)))
    return angles


def _undistorted_camera(photo: AlignedPhoto) -> Camera:
    size = (photo.camera.width, photo.camera.height)
    intrinsics, _ = cv2.getOptimalNewCameraMatrix(photo.camera.intrinsics, photo.radial.coefficients, size, alpha=0.0)
    return replace(photo.camera, intrinsics=np.asarray(intrinsics, dtype=np.float64))


def _undistort(photo: AlignedPhoto, points: Doubles, pictures: Path, output: Path) -> None:
    """Write the photo without lens distortion, cropped to known pixels, and a mask if parts are blank.

    `points` are the sparse points that the photo sees. Where the photo's mask is black, it becomes grey.
    """
    image = read_pixels(pictures / photo.name, cv2.IMREAD_COLOR)
    distorted, camera = photo.camera, _undistorted_camera(photo)
    first, second = cv2.initUndistortRectifyMap(
        distorted.intrinsics,
        photo.radial.coefficients,
        np.eye(3),
        camera.intrinsics,
        (camera.width, camera.height),
        cv2.CV_32FC1,
    )
    straight = cv2.remap(image, first, second, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    borders, blank = blank_areas.of_photo(np.asarray(straight, dtype=np.uint8), camera.project(points)[0])
    if (pictures / mask_of(photo.name)).exists():
        mask = read_pixels(pictures / mask_of(photo.name), cv2.IMREAD_GRAYSCALE)
        shown = cv2.remap(mask, first, second, cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT) > 0
        straight[~shown] = _BLANK_GREY
        blank |= ~shown
    if (borders | blank).any():
        levels = np.where(borders, _OUTSIDE, np.where(blank, _BLANK, _SHOWN)).astype(np.uint8)
        write_pixels(output / mask_of(photo.name), levels)
    write_pixels(output / photo.name, straight, _JPEG_QUALITY)


@dataclass(frozen=True, eq=False, slots=True)
class GreyView:
    """A photo in grey at the size of a depth map."""

    grey: Singles  # (h, w), 0 to 1
    camera: Camera

    def reduced(self, size: int) -> GreyView:
        """Return the view reduced to at most `size` px on the longer side."""
        camera = reduced_camera(self.camera, size)
        if (camera.height, camera.width) == self.grey.shape:
            return self
        small = cv2.resize(self.grey, (camera.width, camera.height), interpolation=cv2.INTER_AREA)
        return GreyView(np.asarray(small, dtype=np.float32), camera)


def grey_reader(views: Sequence[View], size: int) -> Callable[[int], GreyView]:
    """Return a function that reads a grey view of at most `size` px.

    It caches a few: a large set does not fit into memory.
    """

    @lru_cache(_HELD)
    def read(index: int) -> GreyView:
        grey = cv2.cvtColor(views[index].image(), cv2.COLOR_RGB2GRAY).astype(np.float32) / np.float32(255)
        return GreyView(grey, views[index].camera).reduced(size)

    return read
