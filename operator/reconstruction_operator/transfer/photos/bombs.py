"""Photo bombs: small files that cost a decoder minutes or gigabytes. These are recognized before a decoder opens them.

The limits of the process (`process.py`) end all others.
"""

from __future__ import annotations

import re
import struct
from typing import BinaryIO, Final

_MAX_SEGMENTS: Final = 1_000  # of a JPEG; cameras write up to some hundred, most of them data of their own
_MARKER: Final = re.compile(rb"\xff[^\x00\x01\xd0-\xd8\xff]")  # of a segment; pixels contain no such pair of bytes
_END: Final = b"\xff\xd9"
_MAX_VALUES: Final = 1_000_000  # of a TIFF; two for each strip or tile
_BYTE_TYPES: Final = (1, 2, 7)  # of a tag: their values stay bytes
_TIFF_HEADS: Final = (b"II*\0", b"MM\0*", b"II\0*", b"MM*\0", b"II+\0", b"MM\0+")  # that Pillow accepts
_BIG: Final = ord("+")  # in the third byte: Pillow then reads a BigTIFF


def describe(file: BinaryIO) -> str:
    """Return why no decoder may open the file ("has …"), or an empty text."""
    file.seek(0)
    head = file.read(4)
    if head.startswith(b"\xff\xd8") and _has_many_segments(file.read()):
        return f"has more than {_MAX_SEGMENTS} scans and other segments"
    if head in _TIFF_HEADS and _count_values(file, head) > _MAX_VALUES:
        return f"has more than {_MAX_VALUES} values in its tags"
    return ""


def _has_many_segments(data: bytes) -> bool:
    """Count the segments of a JPEG up to the end of its picture.

    Each scan is one, and costs a pass over the whole picture.
    """
    count = place = 0
    while count <= _MAX_SEGMENTS and (marker := _MARKER.search(data, place)) and marker[0] != _END:
        count += 1
        place = marker.end() + int.from_bytes(data[marker.end() : marker.end() + 2])
    return count > _MAX_SEGMENTS


def _count_values(file: BinaryIO, head: bytes) -> int:
    """Return how many numbers the tags of a TIFF announce. Pillow keeps each as an object."""
    order, is_big = ">" if head.startswith(b"M") else "<", head[2] == _BIG
    place, number, tag = (order + layout for layout in (("4xQ", "Q", "HHQ8x") if is_big else ("I", "H", "HHI4x")))
    try:
        file.seek(*struct.unpack(place, file.read(struct.calcsize(place))))
        (tags,) = struct.unpack(number, file.read(struct.calcsize(number)))
        entries = struct.iter_unpack(tag, file.read(struct.calcsize(tag) * min(tags, _MAX_VALUES)))
    except (struct.error, OverflowError):  # its end is missing, and a decoder says so
        return 0
    return sum(count for _, kind, count in entries if kind not in _BYTE_TYPES)
