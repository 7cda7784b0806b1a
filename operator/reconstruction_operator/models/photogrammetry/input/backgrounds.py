"""Still backgrounds: masks the background of photos of a turntable, which would show a camera that does not move.

The median of each pixel over all photos is the background wherever the object covers it in fewer than half of the
photos.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from reconstruction_operator.models.interface import mask_of
from reconstruction_operator.models.photogrammetry.arrays import Mask, Pixels, Singles
from reconstruction_operator.models.photogrammetry.input.photos import PreparedPhoto, read_pixels, write_pixels

_FEWEST_PHOTOS = 8
_SIDE_PX = 320  # photos are reduced to this size for the comparison
_BLUR_PX = 1.0  # removes noise
_ALIKE = 10.0  # maximum difference between a photo and the background, in levels of 255
_BORDER = 0.08  # width of the border, where no turntable is, as a share of the longer side
_STILL_BORDER = 0.8  # minimum share of still pixels in the border
_HARDLY_EVER = 0.9  # minimum share of the photos in which a still pixel is alike
_MOSTLY = 0.5  # the same for a pixel of the background
_LEAST_TEXTURE = 4.0  # minimum mean change across 2 px of the border, in levels; a plain background needs no mask
_LEAST_MOVING = 0.02  # minimum share of moving pixels; with fewer, all photos are the same
_SMALLEST_PIECE = 0.1  # minimum area of a piece of a mask, relative to its largest piece
_MARGIN_PX = 1


def masked(photos: Sequence[PreparedPhoto], folder: Path) -> list[PreparedPhoto]:
    """Return `photos` (files in `folder`), with masks if they show a turntable; otherwise unchanged."""
    if (
        len(photos) < _FEWEST_PHOTOS
        or any(photo.mask for photo in photos)
        or len({(photo.width, photo.height) for photo in photos}) > 1
    ):
        return list(photos)
    greys = _levelled(np.stack([_grey(folder / photo.name) for photo in photos]))
    masks = objects(greys)
    if masks is None:
        return list(photos)
    for photo, mask in zip(photos, masks, strict=True):
        size = (photo.width, photo.height)
        whole = cv2.resize(mask.astype(np.uint8) * 255, size, interpolation=cv2.INTER_NEAREST)
        write_pixels(folder / mask_of(photo.name), whole)
    return [replace(photo, mask=mask_of(photo.name)) for photo in photos]


def objects(greys: Singles) -> Mask | None:
    """(photos, h, w): where `greys` (photos, h, w; 0 to 255) do not show the still background; None without one."""
    background = np.median(greys, axis=0)
    alike = np.abs(greys - background) < _ALIKE
    share = alike.mean(axis=0)
    border = _border(background.shape)
    texture = np.abs(cv2.Sobel(background, cv2.CV_32F, 1, 0, ksize=1))[border].mean()
    still = (share > _HARDLY_EVER)[border].mean()
    if still < _STILL_BORDER or texture < _LEAST_TEXTURE or (share < _MOSTLY).mean() < _LEAST_MOVING:
        return None
    return np.stack([_whole(~(mask & (share > _MOSTLY))) for mask in alike])


def _grey(path: Path) -> Pixels:
    loaded = read_pixels(path, cv2.IMREAD_GRAYSCALE)
    scale = _SIDE_PX / max(loaded.shape)
    return np.asarray(cv2.resize(loaded, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _levelled(greys: Pixels) -> Singles:
    """Return `greys` without noise, adjusted to the exposure of the median photo at the border."""
    smooth = np.stack([cv2.GaussianBlur(grey, (0, 0), _BLUR_PX) for grey in greys]).astype(np.float32)
    levels = np.maximum(smooth[:, _border(greys.shape[1:])].mean(axis=1), 1.0)
    return np.asarray(smooth * (np.median(levels) / levels)[:, None, None], dtype=np.float32)


def _border(shape: tuple[int, ...]) -> Mask:
    width = round(_BORDER * max(shape))
    border = np.ones(shape, dtype=np.bool_)
    border[width:-width, width:-width] = False
    return border


def _whole(mask: Mask) -> Mask:
    """Return the large pieces of the mask, without holes, and with a margin."""
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    areas = [cv2.contourArea(contour) for contour in contours]
    large = [contour for contour, area in zip(contours, areas, strict=True) if area >= _SMALLEST_PIECE * max(areas)]
    filled = np.zeros(mask.shape, dtype=np.uint8)
    cv2.drawContours(filled, large, -1, 1, thickness=cv2.FILLED)
    wide: Mask = cv2.dilate(filled, np.ones((2 * _MARGIN_PX + 1, 2 * _MARGIN_PX + 1), np.uint8)) > 0
    return wide
