"""Estimates: what the model photogrammetry is expected to take for a set of photos, in each quality, and how long that
is on workers that have run other jobs.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median, median_low
from typing import Any, Final

from reconstruction_operator.contract.photos import Photo
from reconstruction_operator.models.interface import ModelFailure
from reconstruction_operator.models.photogrammetry.parameters import DEFAULT_QUALITY, QUALITIES, settings
from reconstruction_operator.models.photogrammetry.timing.costs import Cost, cost
from reconstruction_operator.transfer.photos.masks import is_mask
from reconstruction_operator.units import counted

from kubectl_recon.photos import scanning
from kubectl_recon.photos.advice import MIN_PHOTOS, Finding, Level

_GIGABYTE: Final = 1e9
_USUAL: Final = Photo(Path("usual.jpg"), 4000, 3000, 4_000_000)  # the cost hardly depends on the size of larger ones
_MOST_RECENT: Final = 10  # jobs


@dataclass(frozen=True, slots=True)
class Recent:
    """A job of photogrammetry that has run: photos, parameters, and seconds from its start to its end."""

    photos: int
    parameters: Mapping[str, Any]
    seconds: float


@dataclass(frozen=True, slots=True)
class Expected:
    """What a quality would take; `seconds` None: no job has shown the speed of the workers."""

    name: str
    seconds: float | None
    gives: str


def expected(photos: int, recent: Sequence[Recent]) -> list[Expected]:
    """Return what each quality would take for that many photos of usual size, on the workers of the jobs in `recent`,
    the newest first.

    The cost of a job is that of the engine's model; the speed is the median of the last jobs, if possible of those of
    the same quality.
    """
    paces = [pair for one in recent if (pair := _pace(one)) is not None]
    found = []
    for name, quality in QUALITIES.items():
        same = [pace for of, pace in paces if of == name] or [pace for _, pace in paces]
        seconds = median(same[:_MOST_RECENT]) * cost([_USUAL] * photos, quality).cpu_seconds if same else None
        size = quality.texture_size
        gives = f"{quality.texture_faces:,} triangles, texture of {size} x {size}"
        found.append(Expected(name, seconds, gives))
    return found


def _pace(job: Recent) -> tuple[str, float] | None:
    """Return the quality of a job, and its seconds for each CPU second of the cost model; None if they are unknown."""
    try:
        chosen = settings(job.parameters)
    except ModelFailure:  # of another version
        return None
    if job.photos < 1 or job.seconds <= 0:
        return None
    quality = str(job.parameters.get("quality", DEFAULT_QUALITY))
    return quality, job.seconds / cost([_USUAL] * job.photos, chosen).cpu_seconds


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
    for name, quality in QUALITIES.items():
        yield Finding(Level.NOTE, "cost", f"quality {name} takes about {_text(cost(photos, quality))}")


def _text(expected: Cost) -> str:
    minutes = round(_rounded_up(expected.cpu_seconds / 60, 1))
    memory, disk = (_rounded_up(count / _GIGABYTE, 0.1) for count in (expected.memory_bytes, expected.disk_bytes))
    return f"{counted(minutes, 'CPU minute')}, {memory:g} GB of memory and {disk:g} GB of disk"


def _rounded_up(value: float, unit: float) -> float:
    """Return the value with two digits, at least `unit`, and no part of it."""
    step = max(unit, 10.0 ** (math.floor(math.log10(value)) - 1))
    return round(math.ceil(value / step) * step, 1)
