"""Blank areas: masks sky and black borders, which have no depth.

Black borders come from letterboxes and earlier undistortion. Sky is even and bright, is not a warm colour, and reaches
the upper border of the photo. Without the mask, the window of a sky pixel near an object would match the object, and
the object would get a halo.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from reconstruction_operator.models.photogrammetry.arrays import Doubles, Integers, Mask, Pixels, Singles

if TYPE_CHECKING:
    from cv2.typing import MatLike

_SIDE_PX = 800  # photos are reduced to this size first
_BLACK = 8  # maximum level (of 255) of black: sensors add noise, JPEG adds ripples
_LEAST_BORDER = 0.005  # minimum area of a border, as a share of the photo
_RIPPLES_PX = 2  # reach of JPEG's ripples inside of a black border
_NOISE_SIGMA_PX = 1.0
_EVEN_PX, _EVEN_LEVELS = 5, 8  # size of the window, and maximum change of level in it, at an even place
_BRIGHT = 110  # minimum level of sky
_WARM = 6  # levels by which red exceeds blue, or green exceeds both: a wall, a lawn
_PASSAGE_PX = 7  # sky does not continue through narrower gaps
_LEAST_SKY = 0.02  # minimum area of sky, as a share of the photo
_MOST_POINTS = 2  # maximum number of sparse points in the sky; with more, it is a plain wall
_AROUND_PX = 31  # window over which the colour of the sky is averaged
_EDGE_PX = 9  # the sky grows by at most this, where the colour is alike
_ALIKE = 14  # levels: maximum difference of alike colours


def of_photo(photo: Pixels, points: Doubles) -> tuple[Mask, Mask]:
    """Return where `photo` (h, w, 3; BGR) has black borders, and where it has sky, both (h, w).

    `points` (n, 2) are the pixels of its sparse points.
    """
    height, width = photo.shape[:2]
    scale = min(1.0, _SIDE_PX / max(height, width))
    small = cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    smooth = np.asarray(cv2.GaussianBlur(small, (0, 0), _NOISE_SIGMA_PX), dtype=np.uint8)

    def enlarged(mask: Mask) -> Mask:
        return np.asarray(cv2.resize(mask.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST) > 0)

    return enlarged(_black_borders(smooth)), enlarged(_sky(smooth, points * scale))


def _black_borders(photo: Pixels) -> Mask:
    count, labels = cv2.connectedComponents((_brightest(photo) <= _BLACK).astype(np.uint8))
    on_border = np.zeros(count, dtype=np.bool_)
    for side in (labels[0], labels[-1], labels[:, 0], labels[:, -1]):
        on_border[side] = True
    on_border[0] = False  # label 0 is what is not black
    on_border &= np.bincount(labels.ravel(), minlength=count) >= _LEAST_BORDER * labels.size
    return _grown(on_border[labels], _RIPPLES_PX)


def _sky(photo: Pixels, points: Doubles) -> Mask:
    blue, green, red = cv2.split(photo)
    window = np.ones((_EVEN_PX, _EVEN_PX), np.uint8)
    change = _brightest(cv2.subtract(cv2.dilate(photo, window), cv2.erode(photo, window)))
    # `subtract` saturates at 0.
    cold = (cv2.subtract(red, blue) <= _WARM) & (cv2.subtract(green, cv2.max(red, blue)) <= _WARM)
    even = (change <= _EVEN_LEVELS) & (_brightest(photo) >= _BRIGHT) & cold
    passage = np.ones((_PASSAGE_PX, _PASSAGE_PX), np.uint8)
    _, labels = cv2.connectedComponents(cv2.morphologyEx(even.astype(np.uint8), cv2.MORPH_OPEN, passage))
    areas = np.zeros(even.shape, dtype=np.bool_)
    for number in np.unique(labels[:_PASSAGE_PX]):
        piece = labels == number
        if number and piece.mean() >= _LEAST_SKY and _inside(piece, points) <= _MOST_POINTS:
            areas |= piece
    return _to_the_edge(areas, photo) if areas.any() else areas


def _inside(piece: Mask, points: Doubles) -> int:
    """Return how many of `points` are in the piece or in its holes, where the marks on a wall are."""
    contours, _ = cv2.findContours(piece.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = np.zeros(piece.shape, dtype=np.uint8)
    cv2.drawContours(filled, contours, -1, 1, thickness=cv2.FILLED)
    places: Integers = np.rint(points).astype(np.int64)
    column, row = places[((places >= 0) & (places < filled.shape[::-1])).all(axis=1)].T
    return int(filled[row, column].sum())


def _to_the_edge(sky: Mask, photo: Pixels) -> Mask:
    """Return `sky`, extended by adjacent pixels of its colour."""
    share = cv2.blur(sky.astype(np.float32), (_AROUND_PX, _AROUND_PX))
    total = cv2.blur((photo * sky[:, :, None]).astype(np.float32), (_AROUND_PX, _AROUND_PX))
    colour = np.asarray(total / np.maximum(share, 1e-6)[:, :, None], dtype=np.float32)
    alike: Mask = _brightest(cv2.absdiff(photo.astype(np.float32), colour)) <= _ALIKE
    return sky | (_grown(sky, _EDGE_PX) & alike)


def _brightest(photo: MatLike) -> Singles:
    """(h, w): the maximum of the three channels."""
    first, second, third = cv2.split(photo)
    return np.asarray(cv2.max(cv2.max(first, second), third), dtype=np.float32)


def _grown(mask: Mask, reach_px: int) -> Mask:
    window = np.ones((2 * reach_px + 1, 2 * reach_px + 1), np.uint8)
    grown: Mask = cv2.dilate(mask.astype(np.uint8), window) > 0
    return grown
