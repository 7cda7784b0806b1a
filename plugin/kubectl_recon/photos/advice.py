"""Findings about a set of photos, from their measurements: what would fail, and what would make a poor mesh."""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from reconstruction_operator.transfer.names import is_plain
from reconstruction_operator.units import counted

from kubectl_recon.display.tables import names as _list
from kubectl_recon.photos.scanning import Photo

MIN_PHOTOS: Final = 3
GOOD_PHOTOS: Final = 20
MAX_PHOTOS: Final = 1000  # of the model photogrammetry
_SMALL_MEGAPIXELS: Final = 1.0
_BLURRED_SHARE: Final = 0.2  # of the median sharpness of the set
_MIN_TO_COMPARE: Final = 5
_ALIKE_BITS: Final = 1  # of 64
_LEAST_BARS: Final = 0.04  # of the height or width, of each black bar
_SHOWN: Final = 4  # cameras or lenses in a finding


class Level(enum.StrEnum):
    """Severity of a finding."""

    ERROR = "error"  # the job would fail
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Finding:
    """A finding with advice."""

    level: Level
    kind: str  # identifier for programs
    text: str
    photos: tuple[str, ...] = ()


def findings(photos: Sequence[Photo]) -> list[Finding]:
    """Return all findings about the set, the most severe first."""
    usable = [photo for photo in photos if not photo.problem]
    results = [
        *_unusable(photos),
        *(() if any(photo.kind == "video" for photo in usable) else _count(usable)),
        *_heic(usable),
        *_blurred(usable),
        *_alike(usable),
        *_small(usable),
        *_cameras(usable),
        *_positions(usable),
        *_barred(usable),
        *_renamed(usable),
    ]
    return sorted(results, key=lambda finding: list(Level).index(finding.level))


def _unusable(photos: Sequence[Photo]) -> Iterator[Finding]:
    for problem, count in Counter(photo.problem for photo in photos if photo.problem).items():
        names = tuple(photo.name for photo in photos if photo.problem == problem)
        # One damaged photo fails the whole job; a text file among the photos is ignored.
        level = Level.ERROR if "cannot be read" in problem else Level.WARNING
        yield Finding(level, "unusable", f"{count} of {counted(len(photos), 'file')}: {problem}: {_list(names)}", names)


def _count(usable: Sequence[Photo]) -> Iterator[Finding]:
    count = len(usable)
    if count < MIN_PHOTOS:
        text = (
            f"{counted(count, 'photo')}: at least {MIN_PHOTOS} are needed, and {GOOD_PHOTOS} or more make a good mesh"
        )
        yield Finding(Level.ERROR, "too-few", text)
    elif count < GOOD_PHOTOS:
        text = f"{count} photos: {GOOD_PHOTOS} or more, all around the object, make a better mesh"
        yield Finding(Level.WARNING, "few", text)
    elif count > MAX_PHOTOS:
        text = f"{count} photos: the maximum of the model photogrammetry is {MAX_PHOTOS}; remove some, or split the set"
        yield Finding(Level.WARNING, "too-many", text)


def _heic(usable: Sequence[Photo]) -> Iterator[Finding]:
    names = tuple(photo.name for photo in usable if photo.kind == "HEIC" and not photo.width)
    if names:
        text = (
            f"not checked without the extra `heic` of this program: {counted(len(names), 'HEIC photo')}: {_list(names)}"
        )
        yield Finding(Level.NOTE, "heic", text, names)


def _blurred(usable: Sequence[Photo]) -> Iterator[Finding]:
    measured = [photo for photo in usable if photo.width]
    if len(measured) < _MIN_TO_COMPARE:
        return
    limit = median(photo.sharpness for photo in measured) * _BLURRED_SHARE
    names = tuple(photo.name for photo in measured if photo.sharpness < limit)
    if names:
        text = f"remove what is much less sharp than the other photos: {_list(names)}"
        yield Finding(Level.WARNING, "blurred", text, names)


def _alike(usable: Sequence[Photo]) -> Iterator[Finding]:
    """Find photos that look the same, such as copies: they add time, but no surface."""
    distinct: list[Photo] = []
    copies: list[Photo] = []
    for photo in usable:
        if not photo.width:
            continue
        first = next(
            (other for other in distinct if (other.fingerprint ^ photo.fingerprint).bit_count() <= _ALIKE_BITS), None
        )
        if first is not None and (first.width, first.height) == (photo.width, photo.height):
            copies.append(photo)
        else:
            distinct.append(photo)
    if copies:
        names = tuple(photo.name for photo in copies)
        text = (
            f"{counted(len(names), 'photo')} {'looks' if len(names) == 1 else 'look'} like another one of the set: "
            f"{_list(names)}"
        )
        yield Finding(Level.WARNING, "duplicates", text, names)


def _small(usable: Sequence[Photo]) -> Iterator[Finding]:
    names = tuple(photo.name for photo in usable if photo.width and photo.megapixels < _SMALL_MEGAPIXELS)
    if names:
        text = (
            f"{counted(len(names), 'photo')} of less than {_SMALL_MEGAPIXELS:.0f} megapixel: send the originals: "
            f"{_list(names)}"
        )
        yield Finding(Level.WARNING, "small", text, names)


def _cameras(usable: Sequence[Photo]) -> Iterator[Finding]:
    measured = [photo for photo in usable if photo.width]
    cameras = Counter(photo.camera for photo in measured if photo.camera)
    lenses = {round(photo.focal_length, 1) for photo in measured if photo.focal_length}
    if len(cameras) > 1:
        listed = ", ".join(f"{name} ({count})" for name, count in cameras.most_common(_SHOWN))
        yield Finding(Level.NOTE, "cameras", f"photos of {len(cameras)} cameras: {listed}; one camera is safer")
    elif len(lenses) > 1:
        listed = ", ".join(f"{length:g} mm" for length in sorted(lenses)[:_SHOWN])
        yield Finding(Level.NOTE, "zoom", f"photos of {len(lenses)} focal lengths ({listed}): do not zoom between them")
    bare = sum(1 for photo in measured if not photo.focal_length)
    if measured and bare == len(measured):
        yield Finding(
            Level.NOTE, "no-exif", "no photo has its focal length (EXIF), so it is estimated: send the originals"
        )


def _positions(usable: Sequence[Photo]) -> Iterator[Finding]:
    count = sum(1 for photo in usable if photo.has_position)
    if count:
        text = (
            f"the place where they were taken (GPS) is in {counted(count, 'photo')}, visible to all who can read them"
        )
        yield Finding(Level.NOTE, "gps", text)


def _barred(usable: Sequence[Photo]) -> Iterator[Finding]:
    """Find photos with black bars at two opposite edges among others without: stills of a film, or exports of another
    shape.
    """
    measured = [photo for photo in usable if photo.width]
    names = tuple(photo.name for photo in measured if photo.bars >= _LEAST_BARS)
    if names and len(names) <= len(measured) / 2:  # else all have a black background
        text = f"black bars, which the other photos lack: send the originals, or crop them: {_list(names)}"
        yield Finding(Level.WARNING, "bars", text, names)


def _renamed(usable: Sequence[Photo]) -> Iterator[Finding]:
    names = tuple(photo.name for photo in usable if not is_plain(photo.name))
    if names:
        text = f"in results, _ replaces characters of {counted(len(names), 'name')}: {_list(names)}"
        yield Finding(Level.NOTE, "renamed", text, names)
