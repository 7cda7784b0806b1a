"""Photo preparation: upright RGB files of bounded size, with the focal length that EXIF gives."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import ExifTags, Image, ImageOps

from reconstruction_operator.models.interface import PHOTO_FORMATS, ModelFailure, Photo
from reconstruction_operator.models.photogrammetry.progress import StageProgress

_JPEG_QUALITY = 95
_FULL_FRAME_WIDTH_MM = 36.0
_MM_PER_RESOLUTION_UNIT = {2: 25.4, 3: 10.0, 4: 1.0}  # EXIF FocalPlaneResolutionUnit: inch, cm, mm
_PLAUSIBLE_FOCAL = (0.3, 20.0)  # of the longer side; outside it EXIF is wrong


@dataclass(frozen=True, slots=True)
class PreparedPhoto:
    """A JPEG in the working folder, upright."""

    name: str  # file name in the working folder
    source: str  # the user's file name, for messages
    width: int  # px
    height: int  # px
    focal_px: float | None  # from EXIF; None if EXIF has no plausible value
    camera: str  # photos of the same camera and lens setting share this


def prepare(photos: Sequence[Photo], folder: Path, max_size: int, progress: StageProgress) -> list[PreparedPhoto]:
    """Writes each photo to `folder`, at most `max_size` px on its longer side; in the order of their names.

    Raises ModelFailure (CORRUPT_IMAGE), naming the file.
    """
    prepared = []
    ordered = sorted(photos, key=lambda photo: natural_order(photo.path.name))
    for index, photo in enumerate(ordered):
        prepared.append(_prepare_one(photo.path, folder / f"{index:04d}.jpg", max_size))
        progress((index + 1) / len(ordered), f"photo {index + 1}/{len(ordered)}")
    return prepared


def natural_order(name: str) -> list[tuple[int, int, str]]:
    """Sort key that puts IMG_9 before IMG_10: neighbours in this order are usually neighbours in space."""
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in re.split(r"(\d+)", name.lower())]


def _prepare_one(source: Path, target: Path, max_size: int) -> PreparedPhoto:
    try:
        upright, camera, relative = _read(source, max_size)
    # The errors of Pillow's decoders for broken files; SyntaxError means a bad PNG chunk.
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise ModelFailure("CORRUPT_IMAGE", f"{source.name} cannot be read ({error})") from error
    scale = max_size / max(upright.size)
    if scale < 1.0:
        size = (round(upright.width * scale), round(upright.height * scale))
        upright = upright.resize(size, Image.Resampling.LANCZOS)
    upright.save(target, quality=_JPEG_QUALITY, subsampling=0)
    focal = f"{relative:.4f}" if relative else "unknown"
    return PreparedPhoto(
        name=target.name,
        source=source.name,
        width=upright.width,
        height=upright.height,
        focal_px=relative * max(upright.size) if relative else None,
        camera=f"{camera}|{focal}|{upright.width}x{upright.height}",
    )


def _read(source: Path, max_size: int) -> tuple[Image.Image, str, float | None]:
    """The upright RGB photo, its camera's maker and model, and its relative focal length."""
    with Image.open(source, formats=PHOTO_FORMATS) as image:
        exif = image.getexif()
        relative = relative_focal_length(dict(exif.get_ifd(ExifTags.IFD.Exif)), max(image.size))
        camera = f"{exif.get(ExifTags.Base.Make, '')}|{exif.get(ExifTags.Base.Model, '')}"
        image.draft("RGB", (max_size, max_size))  # the JPEG decoder skips detail that resizing would discard
        return ImageOps.exif_transpose(image).convert("RGB"), camera, relative


def relative_focal_length(lens: dict[int, object], long_side_px: int) -> float | None:
    """The focal length as a fraction of the photo's longer side, from the EXIF tags in `lens`, or None.

    Either the 35 mm equivalent (36 mm wide film), or the focal length with the sensor's resolution.
    """
    equivalent = _number(lens.get(ExifTags.Base.FocalLengthIn35mmFilm))
    if equivalent:
        return _plausible(equivalent / _FULL_FRAME_WIDTH_MM)
    focal_mm = _number(lens.get(ExifTags.Base.FocalLength))
    resolution = _number(lens.get(ExifTags.Base.FocalPlaneXResolution))
    unit = _number(lens.get(ExifTags.Base.FocalPlaneResolutionUnit))
    unit_mm = _MM_PER_RESOLUTION_UNIT.get(int(unit)) if unit else None
    if focal_mm and resolution and unit_mm:
        return _plausible(focal_mm / (long_side_px * unit_mm / resolution))
    return None


def _plausible(relative: float) -> float | None:
    lowest, highest = _PLAUSIBLE_FOCAL
    return relative if lowest <= relative <= highest else None


def _number(value: object) -> float | None:
    """A finite positive number from an EXIF value, which may be a rational with denominator 0."""
    try:
        number = float(value)  # type: ignore[arg-type]  # a value that is not a number raises
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return number if 0.0 < number < float("inf") else None
