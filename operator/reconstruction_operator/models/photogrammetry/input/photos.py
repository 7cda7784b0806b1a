"""Photo preparation: writes upright sRGB files of bounded size, and reads the metadata of each photo."""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import cv2
import numpy as np
from PIL import Image, ImageCms, ImageOps

from reconstruction_operator.models.interface import PHOTO_FORMATS, ModelFailure, Photo, mask_of
from reconstruction_operator.models.photogrammetry.arrays import Pixels
from reconstruction_operator.models.photogrammetry.input import metadata
from reconstruction_operator.models.photogrammetry.input.metadata import Metadata, Place
from reconstruction_operator.models.photogrammetry.parallel import each
from reconstruction_operator.models.photogrammetry.progress import StageProgress

if TYPE_CHECKING:
    from cv2.typing import MatLike

BYTES_A_PIXEL = 14
"""Peak of a photo that is decoded at full size, measured: 8 as JPEG or PNG, 12 with transparency, 13 as 16-bit grey."""

_JPEG_QUALITY = 98  # views are made of this file: to decode the user's photo again takes five times the CPU
# Errors of Pillow's decoders for broken files; SyntaxError means a bad PNG chunk
_UNREADABLE = (OSError, ValueError, SyntaxError, Image.DecompressionBombError)
_SHOWN = 128  # minimum level of a mask where it shows the object
_GREY_DEPTHS = (8, 10, 12, 14, 16)  # bit depths of sensors; a 16-bit file can contain any of them
_SHAPE_TOLERANCE = 0.02  # for the proportions of a mask, since sizes of small masks are rounded


@dataclass(frozen=True, slots=True)
class PreparedPhoto:
    """An upright JPEG in the working folder."""

    name: str  # file name in the working folder
    source: str  # the user's file name, for messages
    width: int  # px
    height: int  # px
    focal_px: float | None  # from EXIF; None without a plausible value
    camera: str  # the same for all photos of one camera and lens setting
    place: Place | None = None  # where it was taken, from EXIF
    pitch_deg: float | None = None  # of a drone's gimbal; 0: level, -90: straight down
    mask: str | None = None  # file name of its mask in the working folder, white where the object is


def prepare(
    photos: Sequence[Photo],
    folder: Path,
    max_size: int,
    *,
    threads: int,
    progress: StageProgress,
    known: Callable[[Photo, Path], PreparedPhoto | None] = lambda *_: None,
    wanted: range | None = None,
) -> list[PreparedPhoto]:
    """Write the photos to `folder` in the order of their names, at most `max_size` px on the longer side; of those
    only the `wanted` ones, by their places in `in_order`.

    `known` writes a photo that was prepared before, and returns None for others. Each of `threads` threads decodes one
    photo at a time; with little memory, fewer threads do.

    Raises ModelFailure (CORRUPT_IMAGE), which names the file.
    """
    ordered = in_order(photos)
    numbers = range(len(ordered)) if wanted is None else wanted

    def one(number: int) -> PreparedPhoto:
        photo = ordered[number]
        target = folder / f"{number:04d}.jpg"
        return known(photo, target) or _prepare_one(photo, target, max_size)

    prepared = each(
        one,
        numbers,
        threads,
        lambda done, of: progress(done / of, f"photo {done}/{of}"),
        bytes_each=BYTES_A_PIXEL * max(photo.width * photo.height for photo in ordered),
    )
    return list(prepared)


def read_pixels(path: Path, mode: int) -> Pixels:
    """(h, w) or (h, w, 3): the picture in `path`, read in that mode of `cv2.imread`. Raises FileNotFoundError."""
    loaded = cv2.imread(str(path), mode)
    if loaded is None:
        raise FileNotFoundError(path)
    return np.asarray(loaded, dtype=np.uint8)


def write_pixels(path: Path, pixels: MatLike, quality: int | None = None) -> None:
    """Write (h, w) or (h, w, 3) levels of 8 bits, as BGR, to `path` in the format of its suffix; `quality` is that of a
    JPEG.

    Raises OSError, also if the disk is full. `cv2.imwrite` only returns False then, and the file is missing or short.
    """
    options = () if quality is None else (cv2.IMWRITE_JPEG_QUALITY, quality)
    path.write_bytes(cv2.imencode(path.suffix, pixels, options)[1].tobytes())


def read_srgb(source: Path, width: int, height: int) -> Pixels:
    """(height, width, 3): the upright photo in `source` as RGB pixels, reduced to that size.

    Raises ModelFailure (CORRUPT_IMAGE), which names the file.
    """
    try:
        upright, _ = _read(source, max(width, height))
    except _UNREADABLE as error:
        raise _unreadable(source, error) from error
    if upright.size != (width, height):
        upright = upright.resize((width, height), Image.Resampling.LANCZOS)
    return np.asarray(to_srgb(upright), dtype=np.uint8)


def in_order(photos: Sequence[Photo]) -> list[Photo]:
    """Return the photos in the order of their names."""
    return sorted(photos, key=lambda photo: natural_order(photo.path.name))


def natural_order(name: str) -> list[tuple[int, int, str]]:
    """Return the sort key that puts IMG_9 before IMG_10: neighbours in this order are usually neighbours in space."""
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in re.split(r"(\d+)", name.lower())]


def _prepare_one(photo: Photo, target: Path, max_size: int) -> PreparedPhoto:
    source = photo.path
    try:
        upright, facts = _read(source, max_size)
        mask = _mask(upright, photo.mask)
    except _UNREADABLE as error:
        raise _unreadable(source, error) from error
    scale = max_size / max(upright.size)
    if scale < 1.0:
        size = (round(upright.width * scale), round(upright.height * scale))
        upright = upright.resize(size, Image.Resampling.LANCZOS)
    to_srgb(upright).save(target, quality=_JPEG_QUALITY, subsampling=0)
    if mask is not None:
        mask = mask.resize(upright.size).point(lambda value: 255 * (value >= _SHOWN))
        mask.save(target.with_name(mask_of(target.name)))
    relative = facts.relative_focal
    focal = f"{relative:.4f}" if relative else "unknown"
    return PreparedPhoto(
        name=target.name,
        source=source.name,
        width=upright.width,
        height=upright.height,
        focal_px=relative * max(upright.size) if relative else None,
        camera=f"{facts.camera}|{focal}|{upright.width}x{upright.height}",
        place=facts.place,
        pitch_deg=facts.pitch_deg,
        mask=mask_of(target.name) if mask is not None else None,
    )


def _unreadable(source: Path, error: Exception) -> ModelFailure:
    return ModelFailure("CORRUPT_IMAGE", f"{source.name} cannot be read ({error})")


def _read(source: Path, max_size: int) -> tuple[Image.Image, Metadata]:
    """Return the upright photo with 8 bits a channel, and its metadata."""
    with Image.open(source, formats=PHOTO_FORMATS) as image:
        facts = metadata.read(image)
        # Lets the JPEG decoder skip detail that resizing would discard: it keeps both sides at least that long.
        share = min(1.0, max_size / max(image.size))
        image.draft("RGB", (round(image.width * share), round(image.height * share)))
        return _eight_bit(ImageOps.exif_transpose(image)), facts


def _mask(upright: Image.Image, file: Path | None) -> Image.Image | None:
    """Return the mask in `file`, or else by the photo's own transparency; None: the whole photo is used."""
    if file is not None:
        with Image.open(file, formats=PHOTO_FORMATS) as image:
            mask = _eight_bit(ImageOps.exif_transpose(image))
        across, along = mask.width * upright.height, mask.height * upright.width
        if abs(across - along) > _SHAPE_TOLERANCE * max(across, along):
            size = f"{mask.width} x {mask.height}"
            raise ValueError(
                f"its mask {file.name} of {size} px has other proportions: export it upright, like the photo"
            )
        return _cut_out(mask) or mask.convert("L")
    return _cut_out(upright)


def _cut_out(image: Image.Image) -> Image.Image | None:
    """Return the alpha channel as a mask; None if nothing is transparent."""
    if image.mode != "RGBA":
        return None
    alpha = image.getchannel("A")
    lowest, _ = cast("tuple[int, int]", alpha.getextrema())
    return alpha if lowest < _SHOWN else None


def to_srgb(image: Image.Image) -> Image.Image:
    """Return the photo (8 bits a channel) in sRGB, converted by its profile: many phones use Display P3, which would
    look pale.
    """
    plain = image.convert("RGB") if image.mode == "RGBA" else image
    profile = image.info.get("icc_profile")
    if profile:
        # A damaged profile, or one that does not match the photo's channels, is ignored.
        with contextlib.suppress(ImageCms.PyCMSError):
            srgb = ImageCms.createProfile("sRGB")  # one for each call: threads must not share the handle
            rgb = ImageCms.profileToProfile(plain, io.BytesIO(profile), srgb, outputMode="RGB")
            return cast("Image.Image", rgb)
    return plain.convert("RGB")


def _eight_bit(image: Image.Image) -> Image.Image:
    """Return the photo as grey, RGB, RGBA or CMYK with 8 bits a channel.

    16-bit grey is scaled from the bit depth that its brightest pixel needs: usually the sensor's.
    """
    if image.mode == "I" or image.mode.startswith("I;16"):
        whole = image.convert("I")
        _, brightest = cast("tuple[int, int]", whole.getextrema())
        depth = next((bits for bits in _GREY_DEPTHS if brightest < 1 << bits), _GREY_DEPTHS[-1])
        return whole.point(lambda value: value * (1 / (1 << (depth - 8)))).convert("L")
    if image.mode in ("LA", "PA") or "transparency" in image.info:
        return image.convert("RGBA")
    return image if image.mode in ("L", "RGB", "RGBA", "CMYK") else image.convert("RGB")
