"""File signatures: recognize files that are not readable photos by their first bytes, and photos
whose end is missing.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    from PIL import Image

_HEAD_BYTES = 64
_TAIL_BYTES = 4_096  # cameras add padding after the end of a JPEG
_HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
_AVIF_BRANDS = (b"avif", b"avis")
_RAW_BRANDS = (b"crx ",)  # Canon
_RAW_HEADS = (b"FUJIFILMCCD-RAW", b"IIRO", b"IIRS", b"MMOR", b"IIU\0", b"FOVb", b"\0MRM")  # Fuji to Minolta
_OTHER_HEADS = (b"GIF8", b"BM", b"8BPS", b"\0\0\0\x0cJXL ", b"\xff\x0a", b"\0\0\0\x0cjP  ")
_STRIP_TAGS = ((0x0111, 0x0117), (0x0144, 0x0145))  # of a TIFF: offsets and lengths of strips, and of tiles
_READ_HEADS = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_PAGES = (b"<!doctype", b"<html", b"<?xml")


def describe(file: BinaryIO) -> tuple[str, bool]:
    """Return the kind of the file for messages, and whether it is a picture in a format that no worker reads."""
    file.seek(0)
    start = file.read(_HEAD_BYTES)
    if not start:
        return "an empty file", False
    if start.lstrip().lower().startswith(_PAGES):
        return "a web page", False
    if start.startswith(_RAW_HEADS):
        return "a camera RAW file", True
    if start[4:8] == b"ftyp":
        return _boxed(start[8:12])
    if start.startswith(_OTHER_HEADS):
        return "a picture of another format", True
    return "a file of another kind", False


def _boxed(brand: bytes) -> tuple[str, bool]:
    if brand in _RAW_BRANDS:
        return "a camera RAW file", True
    if brand in _AVIF_BRANDS:
        return "an AVIF picture", True
    return ("a damaged HEIC file", False) if brand in _HEIC_BRANDS else ("a video", True)


def is_photo_start(start: bytes) -> bool:
    """Return whether a photo in a readable format begins with these bytes."""
    return start.startswith(_READ_HEADS) or (start[4:8] == b"ftyp" and start[8:12] in _HEIC_BRANDS)


def seems_whole(file: BinaryIO, image: Image.Image) -> bool:
    """Return whether the opened photo has its end, judged by a few bytes of its file.

    False proves nothing: only decoding shows whether something is missing.
    """
    place = file.tell()
    size = file.seek(0, io.SEEK_END)
    try:
        match image.format:
            case "JPEG" | "MPO":
                file.seek(max(0, size - _TAIL_BYTES))
                return b"\xff\xd9" in file.read(_TAIL_BYTES)
            case "PNG":
                file.seek(max(0, size - _TAIL_BYTES))
                return b"IEND" in file.read(_TAIL_BYTES)
            case "WEBP":  # Pillow has read the whole file
                return True
            case "TIFF":
                return 0 < _end_of_strips(getattr(image, "tag_v2", {})) <= size
            case _:
                return _has_all_boxes(file, size)
    finally:
        file.seek(place)


def _end_of_strips(tags: Mapping[int, Any]) -> int:
    pairs = ((tags.get(at, ()), tags.get(count, ())) for at, count in _STRIP_TAGS)
    return max((at + count for places, counts in pairs for at, count in zip(places, counts, strict=False)), default=0)


def _has_all_boxes(file: BinaryIO, size: int) -> bool:
    """Return whether the boxes of a HEIC file end where the file ends."""
    place = 0
    while place < size:
        file.seek(place)
        head = file.read(16)
        length = int.from_bytes(head[:4])
        if length == 1:  # the length is in the next 8 bytes
            length = int.from_bytes(head[8:16])
        elif not length:  # the last box, up to the end of the file
            return True
        if length < 8:  # noqa: PLR2004  # the head of a box
            return False
        place += length
    return place == size
