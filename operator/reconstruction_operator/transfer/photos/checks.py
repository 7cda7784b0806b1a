"""Photo checks: decode each photo once, in full and within limits, before a model opens it."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from reconstruction_operator.contract.photos import Photo
from reconstruction_operator.transfer import names
from reconstruction_operator.transfer.errors import StorageError
from reconstruction_operator.transfer.limits import Limits, Tick, section
from reconstruction_operator.transfer.photos import bombs, masks, rewriting, signatures, sizes
from reconstruction_operator.units import megabytes

if TYPE_CHECKING:
    from PIL import Image

_UNSUPPORTED = "UNSUPPORTED_FORMAT"
_SUFFIXES = {
    "JPEG": (".jpg", ".jpeg"),
    "MPO": (".jpg", ".jpeg"),  # a JPEG followed by further pictures, from cameras with two lenses
    "PNG": (".png",),
    "WEBP": (".webp",),
    "TIFF": (".tif", ".tiff"),
}
_FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "HEIF")  # Pillow's JPEG reader also yields MPO
READ = "JPEG, PNG, WebP, TIFF or HEIC"
_ORIENTATION = 0x0112  # EXIF tag
_TURNED = (5, 6, 7, 8)  # EXIF orientations that swap width and height
_RAW_TAGS = (0xC612, 0x828D)  # of a TIFF: DNG version, colour pattern of a sensor
_FILE_BYTES = 4  # of a photo's file, for each pixel that the limits allow: those of an uncompressed picture
_FILE_COPIES = 2  # that decoders of WebP and HEIC keep in memory
# A JPEG that is not rewritten is decoded to an eighth of its size. All its data are read in any case.
_SMALLEST = (1, 1)
_SUBFILE_TAG = 0x00FE  # of a TIFF: bit 0 marks a preview, with which the RAW files of many cameras begin


def label_of(paths: Sequence[Path], index: int) -> str:
    """Return the name of a photo for messages. `index` counts from 1."""
    name = paths[index - 1].name
    return f"{'video' if names.is_video(name) else 'photo'} {name} ({index} of {len(paths)})"


def check_all(
    paths: Sequence[Path], limits: Limits, tick: Tick, allow: Callable[[int], None] = lambda _: None
) -> tuple[Photo, ...]:
    """Check all photos, in order. A file whose suffix does not match its content is renamed.

    A photo that some models cannot read (HEIC, CMYK, 16-bit grey) is replaced by a JPEG, and a video by frames. `allow`
    is called with the bytes of memory that the next call of a decoder may need. It decodes hostile photos in this
    process: see `process.check_all`.

    Raises StorageError: CORRUPT_IMAGE, IMAGEsizes.TOO_LARGE, NO_PARALLAX or UNSUPPORTED_FORMAT, naming the first bad
    photo.
    """
    taken = {path.name.lower() for path in paths}
    clips = sum(names.is_video(path.name) for path in paths)
    places = limits.max_photos - masks.count_photos(path.name for path in paths) + clips
    checked: list[Photo] = []
    rewritten = 0
    for index, path in enumerate(paths, start=1):
        tick((index - 1) / len(paths), f"photo {index}/{len(paths)}")
        size = path.stat().st_size
        label = label_of(paths, index)
        try:
            if names.is_video(path.name):
                allow(sizes.OPENCV_BYTES + sizes.DECODER_BYTES * limits.max_pixels)
                os.environ |= {"OPENBLAS_NUM_THREADS": "1", "OPENCV_FOR_THREADS_NUM": "1"}  # each reserves memory
                from reconstruction_operator.transfer.photos import videos  # noqa: PLC0415  # not all workers can

                part = section(tick, (index - 1) / len(paths), index / len(paths))
                most = replace(limits, max_photos=max(1, places // clips))
                left = limits.max_bytes - rewritten
                frames, warning = videos.replaced(path, label, most, allow, part, left_bytes=left)
                rewritten += sum(frame.stat().st_size for frame in frames)
                photos = check_all(frames, limits, lambda *_: None, allow)
                checked += (replace(photo, warning=warning) for photo in photos)
                continue
            width, height, kind, plain = _decode(path, size, label, limits, allow)
        except MemoryError:
            raise StorageError("CORRUPT_IMAGE", f"{label} needs more memory than a photo of its size") from None
        except ImportError as error:
            text = f"{label} cannot be decoded: this worker lacks {error.name}, of the extra photogrammetry"
            raise StorageError(_UNSUPPORTED, text) from None
        kept = _with_suffix(path, kind, taken) if plain is None else _replaced(path, plain, taken)
        rewritten += 0 if plain is None else kept.stat().st_size
        sizes.check_rewritten(limits.max_bytes - rewritten, label, limits)
        checked.append(Photo(kept, width, height, size))
    return tuple(checked)


def _replaced(path: Path, plain: Path, taken: set[str]) -> Path:
    path.unlink()
    return plain.rename(_free_name(path, rewriting.SUFFIX, taken))


def _with_suffix(path: Path, kind: str, taken: set[str]) -> Path:
    if path.suffix.lower() in _SUFFIXES[kind]:
        return path
    return path.rename(_free_name(path, _SUFFIXES[kind][0], taken))


def _free_name(path: Path, suffix: str, taken: set[str]) -> Path:
    target = path.with_suffix(suffix)
    if target.name.lower() in taken and target != path:
        target = path.with_name(path.name + suffix)
    taken.add(target.name.lower())
    return target


def check_header(file: BinaryIO, label: str, limits: Limits) -> None:
    """Check one photo by its header; decode it only if its end seems to be missing. Writes nothing.

    Raises StorageError as `check_all`, or MemoryError.
    """

    def examine(image: Image.Image) -> None:
        rewriting.check_pixels(image)
        if not signatures.seems_whole(file, image):
            image.load()

    _examine(file, label, limits, examine)


def check_start(start: bytes, label: str, limits: Limits, *, is_whole: bool) -> None:
    """Check one photo by its first bytes. Raises StorageError as `check_all`, if they show an error."""
    file = io.BytesIO(start)
    if is_whole:
        check_header(file, label, limits)
        return
    try:
        _examine(file, label, limits, rewriting.check_pixels)
    except StorageError as error:
        if error.reason != "CORRUPT_IMAGE" or not signatures.is_photo_start(start):
            raise


def _decode(
    path: Path, size: int, label: str, limits: Limits, allow: Callable[[int], None]
) -> tuple[int, int, str, Path | None]:
    """Return the photo's size after EXIF orientation, its format, and the rewritten file if models need one."""
    plain = path.with_name(f".{path.name}.plain")
    is_turned, is_plain = False, True

    def decode(image: Image.Image) -> None:
        nonlocal is_turned, is_plain
        allow(_FILE_COPIES * size + sizes.DECODER_BYTES * image.width * image.height)
        is_plain = rewriting.is_plain(image)
        if is_plain:
            image.draft(None, _SMALLEST)
        image.load()
        is_turned = image.getexif().get(_ORIENTATION) in _TURNED
        if not is_plain:
            rewriting.write(image, plain)

    most = _FILE_BYTES * limits.max_pixels
    if size > most:
        raise StorageError(sizes.TOO_LARGE, f"{label} has {megabytes(size)}; at most {megabytes(most)} are accepted")
    with path.open("rb") as file:
        # The decoder of WebP allocates its pixels when it opens a file.
        allow(_FILE_COPIES * size + (sizes.DECODER_BYTES * limits.max_pixels if file.read(4) == b"RIFF" else 0))
        if bomb := bombs.describe(file):
            raise StorageError("CORRUPT_IMAGE", f"{label} {bomb}")
        file.seek(0)
        width, height, kind = _examine(file, label, limits, decode)
    if is_turned:
        width, height = height, width
    return width, height, kind, None if is_plain else plain


def _examine(file: BinaryIO, label: str, limits: Limits, work: Callable[[Image.Image], object]) -> tuple[int, int, str]:
    """Call `work` with the photo if it is within the limits, and translate errors.

    Return its stored size and format.
    """
    from PIL import UnidentifiedImageError  # noqa: PLC0415  # a worker for the placeholder alone has no Pillow

    try:
        with _open(file) as image:
            (width, height), kind = image.size, image.format or ""
            sizes.check_size(width, height, label, limits)
            if kind == "TIFF":
                _check_raw(image, label)
            work(image)
    except UnidentifiedImageError:
        raise _unidentified(file, label) from None
    except rewriting.UnusualPixelsError as error:
        raise StorageError(_UNSUPPORTED, f"{label} contains {error}, not 8 or 16 bits a channel") from None
    except (MemoryError, StorageError):
        raise
    except Exception as error:  # decoders raise almost anything for hostile data
        if isinstance(error, OSError) and error.errno is not None:  # of the disk: errors of decoders have no errno
            raise
        raise _corrupt(label, error) from None
    return width, height, kind


def _open(file: BinaryIO) -> Image.Image:
    import pillow_heif  # noqa: PLC0415  # a worker for the placeholder alone has neither
    from PIL import Image  # noqa: PLC0415

    # Pillow's own limit is process-wide, and warns before it fails. Ours is checked before decoding.
    Image.MAX_IMAGE_PIXELS = None
    pillow_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False, decode_threads=1)
    return Image.open(file, formats=_FORMATS)


def _check_raw(image: Image.Image, label: str) -> None:
    tags = getattr(image, "tag_v2", {})
    if any(tag in tags for tag in _RAW_TAGS) or tags.get(_SUBFILE_TAG, 0) & 1:
        raise StorageError(_UNSUPPORTED, f"{label} is a camera RAW file, of which only a preview could be read")


def _unidentified(file: BinaryIO, label: str) -> StorageError:
    what, is_picture = signatures.describe(file)
    return StorageError(_UNSUPPORTED if is_picture else "CORRUPT_IMAGE", f"{label} is {what}, not a {READ} picture")


def _corrupt(label: str, error: Exception) -> StorageError:
    text = str(error) or type(error).__name__
    if "truncated" in text.lower():
        return StorageError("CORRUPT_IMAGE", f"{label} is truncated: {text}")
    return StorageError("CORRUPT_IMAGE", f"{label} cannot be decoded: {text}")
