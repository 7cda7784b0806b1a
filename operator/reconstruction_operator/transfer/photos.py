"""Photo checks: each photo is decoded once, in full and within limits, before a model opens it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from reconstruction_operator.transfer.errors import StorageError
from reconstruction_operator.transfer.limits import Limits, Tick

_SUFFIXES = {
    "JPEG": (".jpg", ".jpeg"),
    "MPO": (".jpg", ".jpeg"),  # a JPEG followed by more pictures, as cameras with two lenses write it
    "PNG": (".png",),
    "WEBP": (".webp",),
    "TIFF": (".tif", ".tiff"),
}
_FORMATS = ("JPEG", "PNG", "WEBP", "TIFF")  # Pillow's JPEG reader also yields MPO
_ORIENTATION = 0x0112  # EXIF tag
_TURNED = (5, 6, 7, 8)  # EXIF orientations that swap width and height
_HEAD_BYTES = 64  # enough to recognize a file for a message


@dataclass(frozen=True, slots=True)
class CheckedImage:
    """One photo; sizes in px after EXIF orientation."""

    path: Path
    width: int
    height: int
    bytes: int


def check_all(paths: Sequence[Path], limits: Limits, tick: Tick) -> tuple[CheckedImage, ...]:
    """Checks all photos, in order. A file whose suffix does not fit its content is renamed.

    Raises StorageError: CORRUPT_IMAGE or IMAGE_TOO_LARGE, naming the first such photo.
    """
    taken = {path.name.lower() for path in paths}
    checked = []
    for index, path in enumerate(paths, start=1):
        tick((index - 1) / len(paths), f"photo {index}/{len(paths)}")
        width, height, kind = _decode(path, f"photo {path.name} ({index} of {len(paths)})", limits)
        kept = _with_suffix(path, kind, taken)
        checked.append(CheckedImage(kept, width, height, kept.stat().st_size))
    return tuple(checked)


def _with_suffix(path: Path, kind: str, taken: set[str]) -> Path:
    if path.suffix.lower() in _SUFFIXES[kind]:
        return path
    target = path.with_suffix(_SUFFIXES[kind][0])
    if target.name.lower() in taken:
        target = path.with_name(path.name + _SUFFIXES[kind][0])
    taken.add(target.name.lower())
    return path.rename(target)


def _decode(path: Path, shown: str, limits: Limits) -> tuple[int, int, str]:
    from PIL import Image, UnidentifiedImageError  # noqa: PLC0415  # a worker for the placeholder alone has no Pillow

    # Its own limit is a warning first, then an error, both process-wide; ours is checked below, before decoding.
    Image.MAX_IMAGE_PIXELS = None
    try:
        with Image.open(path, formats=_FORMATS) as image:
            (width, height), kind = image.size, image.format or ""
            _check_size(width, height, shown, limits)
            image.load()
            orientation = image.getexif().get(_ORIENTATION)
    except UnidentifiedImageError:
        text = f"{shown} is {_what(path)}, not a JPEG, PNG, WebP or TIFF picture"
        raise StorageError("CORRUPT_IMAGE", text) from None
    except (MemoryError, StorageError):
        raise
    except Exception as error:  # noqa: BLE001  # decoders of hostile data raise almost anything
        raise _corrupt(shown, error) from None
    return (height, width, kind) if orientation in _TURNED else (width, height, kind)


def _check_size(width: int, height: int, shown: str, limits: Limits) -> None:
    if max(width, height) > limits.max_side:
        text = f"{shown} has {width} x {height} px; at most {limits.max_side} a side are taken"
        raise StorageError("IMAGE_TOO_LARGE", text)
    if width * height > limits.max_pixels:
        had, allowed = width * height / 1e6, limits.max_pixels / 1e6
        raise StorageError("IMAGE_TOO_LARGE", f"{shown} has {had:.0f} megapixels; at most {allowed:.0f} are taken")


def _corrupt(shown: str, error: Exception) -> StorageError:
    text = str(error) or type(error).__name__
    if "truncated" in text.lower():
        return StorageError("CORRUPT_IMAGE", f"{shown} is truncated: {text}")
    return StorageError("CORRUPT_IMAGE", f"{shown} cannot be decoded: {text}")


def _what(path: Path) -> str:
    with path.open("rb") as file:
        start = file.read(_HEAD_BYTES)
    if not start:
        return "an empty file"
    if start.lstrip().lower().startswith((b"<!doctype", b"<html", b"<?xml")):
        return "a web page"
    if start[4:8] == b"ftyp":
        return "a HEIC, AVIF or video file"
    return "a file of another kind"
