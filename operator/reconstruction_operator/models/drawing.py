"""Cube drawing: a cube as a GLB mesh and as PNG pictures, without any library, since the placeholder must run everywhere."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Sequence
from functools import cache

RGB = tuple[int, int, int]
Point = tuple[float, float]

_FACES = (  # normal, two directions in the plane of the face, colour
    ((1, 0, 0), (0, 1, 0), (0, 0, 1), (205, 92, 82)),
    ((-1, 0, 0), (0, 0, 1), (0, 1, 0), (120, 60, 60)),
    ((0, 1, 0), (0, 0, 1), (1, 0, 0), (236, 203, 120)),
    ((0, -1, 0), (1, 0, 0), (0, 0, 1), (100, 90, 60)),
    ((0, 0, 1), (1, 0, 0), (0, 1, 0), (92, 140, 190)),
    ((0, 0, -1), (0, 1, 0), (1, 0, 0), (60, 80, 110)),
)
_FLOAT, _UINT16, _UINT8 = 5126, 5123, 5121  # glTF component types
_VERTICES, _INDICES = 34962, 34963  # glTF buffer targets


@cache
def cube_glb(side: float = 1.0) -> bytes:
    """Return a cube of that side (metres) around the origin as a GLB 2.0 file: 24 vertices with normals and colours."""
    positions, normals, colours = bytearray(), bytearray(), bytearray()
    for normal, right, up, colour in _FACES:
        for a, b in ((-1, -1), (1, -1), (1, 1), (-1, 1)):
            corner = (side / 2 * (n + a * r + b * u) for n, r, u in zip(normal, right, up, strict=True))
            positions += struct.pack("<3f", *corner)
            normals += struct.pack("<3f", *normal)
            colours += struct.pack("<4B", *colour, 255)
    corners = [4 * face + corner for face in range(len(_FACES)) for corner in (0, 1, 2, 0, 2, 3)]
    indices = struct.pack(f"<{len(corners)}H", *corners)
    return _glb((bytes(positions), bytes(normals), bytes(colours), indices), half=side / 2)


def _glb(parts: Sequence[bytes], *, half: float) -> bytes:
    views, offset = [], 0
    for part, target in zip(parts, (_VERTICES, _VERTICES, _VERTICES, _INDICES), strict=True):
        views.append({"buffer": 0, "byteOffset": offset, "byteLength": len(part), "target": target})
        offset += len(part)
    vectors = {"componentType": _FLOAT, "count": 24, "type": "VEC3"}
    document = {
        "asset": {"version": "2.0", "generator": "reconstruction-operator placeholder (simulated)"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0, "name": "simulated"}],
        "meshes": [
            {"primitives": [{"attributes": {"POSITION": 0, "NORMAL": 1, "COLOR_0": 2}, "indices": 3, "material": 0}]}
        ],
        "materials": [{"pbrMetallicRoughness": {"metallicFactor": 0.0, "roughnessFactor": 0.9}}],
        "accessors": [
            vectors | {"bufferView": 0, "min": [-half] * 3, "max": [half] * 3},
            vectors | {"bufferView": 1},
            {"bufferView": 2, "componentType": _UINT8, "normalized": True, "count": 24, "type": "VEC4"},
            {"bufferView": 3, "componentType": _UINT16, "count": 36, "type": "SCALAR"},
        ],
        "bufferViews": views,
        "buffers": [{"byteLength": offset}],
    }
    text = json.dumps(document, separators=(",", ":")).encode()
    chunks = (
        _chunk(b"JSON", text + b" " * (-len(text) % 4)),
        _chunk(b"BIN\0", b"".join(parts) + b"\0" * (-offset % 4)),
    )
    return struct.pack("<4sII", b"glTF", 2, 12 + sum(map(len, chunks))) + b"".join(chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack("<I4s", len(data), kind) + data


@cache
def cube_png(size: int, *, mirrored: bool = False) -> bytes:
    """Return a PNG of the cube seen from a corner, `size` x `size` px, RGB; `mirrored` shows it from the other side."""
    low, high, middle = 0.12, 0.88, 0.5
    top = ((middle, low), (high, 0.31), (middle, middle), (low, 0.31))
    left = ((low, 0.31), (middle, middle), (middle, high), (low, 0.69))
    right = ((high, 0.31), (high, 0.69), (middle, high), (middle, middle))
    shades = (_FACES[2][3], _FACES[0][3], _FACES[4][3]) if mirrored else (_FACES[2][3], _FACES[4][3], _FACES[0][3])
    rows = [bytearray(bytes((245, 245, 245)) * size) for _ in range(size)]
    for polygon, colour in zip((top, left, right), shades, strict=True):
        _fill(rows, [(x * size, y * size) for x, y in polygon], colour)
    return _png(size, size, rows)


def _fill(rows: list[bytearray], polygon: Sequence[Point], colour: RGB) -> None:
    for y, row in enumerate(rows):
        crossings = []
        for (x0, y0), (x1, y1) in zip(polygon, [*polygon[1:], polygon[0]], strict=True):
            if (y0 <= y + 0.5) != (y1 <= y + 0.5):
                crossings.append(x0 + (y + 0.5 - y0) / (y1 - y0) * (x1 - x0))
        if crossings:
            start, stop = round(min(crossings)), round(max(crossings))
            row[3 * start : 3 * stop] = bytes(colour) * (stop - start)


def _png(width: int, height: int, rows: Sequence[bytes | bytearray]) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)  # 8 bit RGB
    pixels = zlib.compress(b"".join(b"\0" + bytes(row) for row in rows))
    parts = ((b"IHDR", header), (b"IDAT", pixels), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts
    )
