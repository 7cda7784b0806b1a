"""Estimates: what the model photogrammetry is expected to take for a set of photos, in each quality."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from statistics import median_low
from typing import Final

from reconstruction_operator.contract.photos import Photo
from reconstruction_operator.models.photogrammetry.parameters import QUALITIES
from reconstruction_operator.models.photogrammetry.timing.costs import Cost, cost
from reconstruction_operator.transfer.photos.masks import is_mask
from reconstruction_operator.units import counted

from kubectl_recon.photos import scanning
from kubectl_recon.photos.advice import MIN_PHOTOS, Finding, Level

_GIGABYTE: Final = 1e9


def estimates(scanned: Sequence[scanning.Photo]) -> Iterator[Finding]:
    """Yield a note for each quality; none for too few photos, and none with a video, whose frames are not known yet.

    A photo that could not be measured counts as one of usual size.
    """
    usable = [photo for photo in scanned if not photo.problem and not is_mask(photo.name)]
    measured = sorted((photo.width, photo.height) for photo in usable if photo.width)
    if len(usable) < MIN_PHOTOS or not measured or any(photo.kind == "video" for photo in usable):
        return
    usual = median_low(measured)
    photos = [
        Photo(photo.path, *((photo.width, photo.height) if photo.width else usual), photo.bytes) for photo in usable
    ]
    for quality, settings in QUALITIES.items():
        yield Finding(Level.NOTE, "cost", f"quality {quality} takes about {_text(cost(photos, settings))}")


def _text(expected: Cost) -> str:
    minutes = round(_rounded_up(expected.cpu_seconds / 60, 1))
    memory, disk = (_rounded_up(count / _GIGABYTE, 0.1) for count in (expected.memory_bytes, expected.disk_bytes))
    return f"{counted(minutes, 'CPU minute')}, {memory:g} GB of memory and {disk:g} GB of disk"


def _rounded_up(value: float, unit: float) -> float:
    """Return the value with two digits, at least `unit`, and no part of it."""
    step = max(unit, 10.0 ** (math.floor(math.log10(value)) - 1))
    return round(math.ceil(value / step) * step, 1)
