"""Photo bombs: small files that cost a decoder minutes of CPU time or gigabytes of memory."""

from __future__ import annotations

import struct
import zlib

from tests.support.photos import make_photo


def jpeg_of_scans(count: int) -> bytes:
    """A progressive JPEG that repeats its last scan."""
    content = make_photo(progressive=True)
    scan = content[content.rindex(b"\xff\xda") : -2]
    return content[:-2] + scan * count + content[-2:]


def jpeg_of_exif(count: int) -> bytes:
    """A JPEG with many EXIF segments, which Pillow joins one by one."""
    content = make_photo()
    return content[:2] + (b"\xff\xe1\0\x10Exif\0\0" + bytes(8)) * count + content[2:]


def tiff_of_values(tag: int, kind: int, count: int) -> bytes:
    """A TIFF of 8 x 8 px with so many values in that tag. `kind`: 3 for 2 bytes a value, 4 for 4 bytes, 5 for 8."""
    tags = {256: (4, 1, 8), 257: (4, 1, 8), 258: (3, 1, 8), 259: (3, 1, 1), 262: (3, 1, 1), 273: (4, 1, 8)}
    tags |= {277: (3, 1, 1), 278: (4, 1, 8), 279: (4, 1, 64), tag: (kind, count, 256)}
    entries = (struct.pack("<HHII", key, *values) for key, values in sorted(tags.items()))
    head = b"II*\0" + struct.pack("<IH", 8, len(tags)) + b"".join(entries)
    return head.ljust(256, b"\0") + b"\1\1\0\0" * (count * {3: 2, 4: 4, 5: 8}[kind] // 4)


def png_with_exif(count: int) -> bytes:
    """A PNG whose orientation has many values, each an object of its own in Python."""
    exif = b"II*\0" + struct.pack("<IHHHIII", 8, 1, 0x112, 3, count, 26, 0) + b"\xff\x7f" * count
    content = make_photo("PNG")
    chunk = struct.pack(">I", len(exif)) + b"eXIf" + exif + struct.pack(">I", zlib.crc32(b"eXIf" + exif))
    return content[:33] + chunk + content[33:]  # behind its header
