"""Grey views: photos in grey, reduced to the sizes of the depth maps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from reconstruction_operator.models.photogrammetry.arrays import Singles
from reconstruction_operator.models.photogrammetry.dense.views import View
from reconstruction_operator.models.photogrammetry.sparse.cameras import Camera

_HELD = 32  # cached photos: enough for the neighbours of the views that all threads work on


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


def reduced_camera(camera: Camera, size: int) -> Camera:
    """Return the camera of the same photo, reduced to at most `size` px on the longer side."""
    scale = min(1.0, size / max(camera.width, camera.height))
    width, height = round(camera.width * scale), round(camera.height * scale)
    return camera if (width, height) == (camera.width, camera.height) else camera.resized(width, height)


def reader(views: Sequence[View], size: int) -> Callable[[int], GreyView]:
    """Return a function that reads a grey view of at most `size` px. It caches a few: a large set does not fit into memory."""

    @lru_cache(_HELD)
    def read(index: int) -> GreyView:
        grey = cv2.cvtColor(views[index].image(), cv2.COLOR_RGB2GRAY).astype(np.float32) / np.float32(255)
        return GreyView(grey, views[index].camera).reduced(size)

    return read
