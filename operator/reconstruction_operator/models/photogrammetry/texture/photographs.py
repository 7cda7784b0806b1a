"""Photographs: the users' photos, from which the texture takes its colours with one interpolation.

The undistorted views of the dense reconstruction went through another JPEG and another interpolation, and are smaller
than large photos.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np

from reconstruction_operator.models.interface import Photo
from reconstruction_operator.models.photogrammetry.arrays import Doubles, Pixels, Singles
from reconstruction_operator.models.photogrammetry.input import photos
from reconstruction_operator.models.photogrammetry.sparse.cameras import STRAIGHT, Camera, Radial, reduced_camera
from reconstruction_operator.models.photogrammetry.sparse.mapping import AlignedPhoto

_Floats = TypeVar("_Floats", Doubles, Singles)

_LARGEST_PX = 4096  # of the longer side; larger photos are reduced, unless the texture is larger


@dataclass(frozen=True, eq=False, slots=True)
class Photograph:
    """A photo at the size of its camera. It is read on demand."""

    path: Path  # of the user's photo
    camera: Camera  # without the distortion of the lens
    radial: Radial = STRAIGHT  # distortion of the lens

    def distorted(self, pixels: _Floats) -> _Floats:
        """(n, 2): where the photo shows what a camera without distortion would show at `pixels` (n, 2)."""
        focal, *principal = self.camera.lens
        middle = np.array(principal, dtype=pixels.dtype)
        return self.radial.bent(pixels - middle, focal) + middle

    def resized(self, scale: float) -> Photograph:
        """Return the photo at another size, rounded to whole pixels."""
        camera = self.camera
        return replace(self, camera=camera.resized(round(scale * camera.width), round(scale * camera.height)))

    def image(self) -> Pixels:
        """(height, width, 3): the RGB pixels; raises ModelFailure (CORRUPT_IMAGE)."""
        return photos.read_srgb(self.path, self.camera.width, self.camera.height)


def of_model(aligned: Sequence[AlignedPhoto], originals: Mapping[str, Photo], texture_size: int) -> list[Photograph]:
    """Return the photograph of each of the `aligned` photos, for a texture of at most `texture_size` px.

    `originals` maps the name of each prepared photo to the user's photo.
    """
    photographs = []
    for photo in aligned:
        original = originals[photo.name]
        camera = photo.camera.resized(original.width, original.height)
        photographs.append(
            Photograph(original.path, reduced_camera(camera, max(_LARGEST_PX, texture_size)), photo.radial)
        )
    return photographs
