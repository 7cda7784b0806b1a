"""Paint: a colour for each point in space from noise of many wavelengths, so that shapes need no texture coordinates.

Perlin 1985, "An image synthesizer" (solid textures); here with values on a lattice.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from reconstruction_operator.models.photogrammetry.arrays import Doubles, Singles
from scipy import ndimage

_LATTICE = 64  # cells until the noise repeats; each octave is shifted, so the sum does not
_FINEST_PERIOD_PX = 3.0  # of speckles


@dataclass(frozen=True, slots=True)
class Noise:
    """Noise of `octaves` wavelengths, from `wavelength` on, each half of the previous one; values 0
    to 1, around 0.5.
    """

    seed: int
    wavelength: float
    octaves: int
    gain: float = 0.8  # amplitude of an octave relative to the next larger one

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
            amplitude *= self.gain
            length /= 2
        return (total / whole).astype(np.float64)


@dataclass(frozen=True, slots=True)
class Paint:
    """Colours for a scene of about `size`, with detail down to `finest` (the size of a pixel or two)."""

    size: float
    finest: float
    contrast: float = 2.4  # stretches the noise, which stays near its mean
    hue_octaves: int = 2  # wavelengths of the hue; with more, neighbouring spots have different colours
    hue_turns: float = 1.0  # around the circle of colours, from the least to the most noise
    saturation: float = 0.25  # amplitude of each channel around 0.85
    gain: float = 0.8  # amplitude of an octave relative to the next larger one
    seed: int = 1

    @classmethod
    def speckled(cls, size: float, pixel: float) -> Paint:
        """Return saturated spots of all sizes, down to periods of 3 px on photos whose pixel is `pixel` wide at the
        surface.
        """
        finest = (
            _FINEST_PERIOD_PX / 2 * pixel / 2
        )  # an octave of wavelength L has a period of 2 L, and the last is 2 * `finest`
        return cls(size, finest, contrast=4.0, hue_octaves=7, hue_turns=3.0, saturation=0.5, gain=1.0)

    def __call__(self, points: Doubles) -> Singles:
        """Return colours (n, 3), RGB from 0 to 1, at `points` (n, 3)."""
        octaves = max(1, round(np.log2(self.size / self.finest)))
        light = 0.5 + self.contrast * (Noise(self.seed, self.size, octaves, self.gain)(points) - 0.5)
        hue = 2 * np.pi * self.hue_turns * Noise(self.seed + 1, self.size, self.hue_octaves, self.gain)(points)
        tint = self.saturation * np.cos(hue[:, None] + np.array([0.0, 2.1, 4.2]))
        colours: Singles = np.clip(np.clip(light, 0.05, 1.0)[:, None] * (0.85 + tint), 0.0, 1.0).astype(np.float32)
        return colours
