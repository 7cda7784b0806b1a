"""Matching cost: how little the neighbourhood of each pixel correlates with the same neighbourhood in another photo.

Normalised cross-correlation over a small window is independent of exposure. Each pixel uses only its best two sources,
so that an occluded source has no influence (Kang, Szeliski and Chai 2001, "Handling occlusions in dense multi-view
stereo").
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np

from reconstruction_operator.models.photogrammetry.arrays import Singles

OUTSIDE = -1.0  # grey of pixels outside a source's photo
_UNSEEN_COST = np.float32(1.1)  # if a source does not see the point: slightly worse than uncorrelated
SMALL_WINDOW_PX = 5  # small enough for slopes and thin parts in a coarse photo
_BEST_WEIGHT = np.float32(0.65)  # of the best source, which may be the only one that sees the point
_SECOND_WEIGHT = np.float32(0.35)
_NOISE_VARIANCE = np.float32(6e-5)  # of grey 0 to 1: two of 255 levels; prevents flat areas from matching noise


@dataclass(frozen=True, eq=False, slots=True)
class Window:
    """A photo minus middle grey (single precision is finer near 0), with mean and spread around each pixel."""

    size: int  # px
    grey: Singles
    mean: Singles
    variance: Singles
    spread: Singles  # square root of the sum of variance and noise

    @classmethod
    def of(cls, grey: Singles, size: int = SMALL_WINDOW_PX) -> Window:
        """Return the windows, `size` px wide, of `grey` (h, w), 0 to 1."""
        centred = grey - np.float32(0.5)
        mean = _box(centred, size)
        variance = _box(centred * centred, size)
        variance -= mean * mean  # not negative, except for rounding errors far smaller than the noise
        return cls(size, centred, mean, variance, np.sqrt(variance + _NOISE_VARIANCE))

    def cost(self, warped: Singles) -> Singles:
        """(h, w): 1 - correlation with a source's photo, `warped` to this one; 0 to 2."""
        other = Window.of(warped, self.size)
        cost = _box(self.grey * other.grey, self.size)
        cost -= self.mean * other.mean
        cost /= self.spread * other.spread
        np.subtract(1, cost, out=cost)
        np.copyto(cost, _UNSEEN_COST, where=warped < 0)
        return cost


def of_best_two(costs: Iterable[Singles]) -> Singles:
    """(h, w): the weighted mean of each pixel's two lowest costs, or the only cost. `costs` are not empty."""
    remaining = iter(costs)
    best = next(remaining)
    second: Singles | None = None
    for cost in remaining:
        worse = np.maximum(best, cost)
        second = worse if second is None else np.minimum(second, worse, out=second)
        np.minimum(best, cost, out=best)
    return best if second is None else best * _BEST_WEIGHT + second * _SECOND_WEIGHT


def _box(image: Singles, size: int) -> Singles:
    return np.asarray(cv2.blur(image, (size, size)), dtype=np.float32)
