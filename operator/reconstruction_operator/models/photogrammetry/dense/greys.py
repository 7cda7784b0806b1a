"""Grey views: the photos at the sizes of the depth maps."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from reconstruction_operator.models.photogrammetry.arrays import Pixels, Singles
from reconstruction_operator.models.photogrammetry.sparse.cameras import Camera


@dataclass(frozen=True, eq=False, slots=True)
class GreyView:
    """A photo at the size of a depth map."""

    grey: Singles  # (h, w), 0 to 1
    camera: Camera

    def reduced(self, size: int) -> GreyView:
        """The same, at most `size` px on the longer side."""
        scale = min(1.0, size / max(self.camera.width, self.camera.height))
        width, height = round(self.camera.width * scale), round(self.camera.height * scale)
        if (height, width) == self.grey.shape:
            return self
        small = cv2.resize(self.grey, (width, height), interpolation=cv2.INTER_AREA)
        return GreyView(np.asarray(small, dtype=np.float32), self.camera.resized(width, height))


def grey_view(image: Pixels, camera: Camera, size: int) -> GreyView:
    """`image` (RGB) and its camera, at most `size` px on the longer side."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32) / np.float32(255)
    return GreyView(grey, camera).reduced(size)
