"""Paint: a colour for each point in space from noise of many wavelengths, so that shapes need no texture coordinates.

Perlin 1985, "An image synthesizer" (solid textures); here with values on a lattice.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from reconstruction_operator.models.photogrammetry.arrays import Doubles, Singles
from scipy import ndimage

_LATTICE = 64  # cells until the noise repeats; each octave is shifted, so the sum does not
_GAIN = 0.8  # amplitude of an octave relative to the next larger one


@dataclass(frozen=True, slots=True)
class Noise:
    """Noise of `octaves` wavelengths, from `wavelength` on, each half of the previous one; values 0 to 1, around 0.5."""

    seed: int
    wavelength: float
    octaves: int

    def __call__(self, points: Doubles) -> Doubles:
        """Return the noise (n,) at `points` (n, 3)."""
        random = np.random.default_rng(self.seed)
        total = np.zeros(len(points), dtype=np.float32)
        amplitude, whole, length = 1.0, 0.0, self.wavelength
        for _ in range(self.octaves):
            lattice = random.random((_LATTICE,) * 3, dtype=np.float32)
            places = (points / length + random.uniform(0, _LATTICE, 3)).T
            total += amplitude * ndimage.map_coordinates(lattice, places, np.float32, order=1, mode="grid-wrap")
            whole += amplitude
            amplitude *= _GAIN
            length /= 2
        return (total / whole).astype(np.float64)


@dataclass(frozen=True, slots=True)
class Paint:
    """Colours for a scene of about `size`, with detail down to `finest` (the size of a pixel or two)."""

    size: float
    finest: float
    contrast: float = 2.4  # stretches the noise, which stays near its mean
    seed: int = 1

    def __call__(self, points: Doubles) -> Singles:
        """Return colours (n, 3), RGB from 0 to 1, at `points` (n, 3)."""
        octaves = max(1, round(np.log2(self.size / self.finest)))
        light = 0.5 + self.contrast * (Noise(self.seed, self.size, octaves)(points) - 0.5)
        hue = 2 * np.pi * Noise(self.seed + 1, self.size, 2)(points)
        tint = 0.25 * np.cos(hue[:, None] + np.array([0.0, 2.1, 4.2]))
        colours: Singles = np.clip(np.clip(light, 0.05, 1.0)[:, None] * (0.85 + tint), 0.0, 1.0).astype(np.float32)
        return colours
