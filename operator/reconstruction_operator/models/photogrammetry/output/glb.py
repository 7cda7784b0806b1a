"""GLB writer (glTF 2.0, binary): one mesh with normals, and one material that is not metallic.

Without a material, viewers use glTF's default, which is a metal. Without normals, they use flat shading.
"""

from __future__ import annotations

import io
import json
import struct
from dataclasses import dataclass, field
from typing import Any

import DracoPy
import numpy as np
import numpy.typing as npt
from PIL import Image

from reconstruction_operator.models.photogrammetry.arrays import Doubles, Pixels, Singles
from reconstruction_operator.models.photogrammetry.surface.meshes import Mesh

_GENERATOR = "reconstruction-operator photogrammetry"
_FLOAT, _UINT32 = 5126, 5125  # component types
_VERTICES, _INDICES = 34962, 34963  # buffer targets
_LINEAR, _LINEAR_MIPMAP_LINEAR, _CLAMP = 9729, 9987, 33071  # values of samplers
_JPEG_QUALITY = 90
_DRACO = "KHR_draco_mesh_compression"
# By Draco's types of attributes
_OF_DRACO = {0: ("POSITION", "VEC3"), 1: ("NORMAL", "VEC3"), 3: ("TEXCOORD_0", "VEC2")}
_POSITION_BITS, _UV_BITS, _NORMAL_BITS = 14, 12, 8  # moves a vertex by at most 1/30,000 of the model
_DRACO_LEVEL = 7  # 0 to 10; higher is smaller and slower
_COMPRESSED_QUALITY = 75  # of the JPEG
_SHORTEST_NORMAL = 0.5
_UP = np.array([0.0, 1.0, 0.0])
_SRGB_BREAK, _SRGB_SLOPE, _SRGB_OFFSET, _SRGB_POWER = 0.04045, 12.92, 0.055, 2.4  # IEC 61966-2-1


@dataclass(frozen=True, eq=False, slots=True)
class Textured:
    """The textured mesh in model coordinates."""

    mesh: Mesh
    normals: Doubles  # (n, 3), equal on both sides of a cut of the atlas
    uv: Doubles  # (n, 2), from the upper left
    texture: Pixels  # (h, w, 3)


@dataclass(slots=True)
class _Document:
    """A glTF document under construction, with its binary chunk."""

    accessors: list[dict[str, Any]] = field(default_factory=list)
    views: list[dict[str, Any]] = field(default_factory=list)
    binary: bytearray = field(default_factory=bytearray)

    def add_bytes(self, content: bytes, **properties: int) -> int:
        """Add a buffer view; return its number."""
        self.binary += b"\0" * (-len(self.binary) % 4)
        self.views.append({"buffer": 0, "byteOffset": len(self.binary), "byteLength": len(content), **properties})
        self.binary += content
        return len(self.views) - 1

    def add_vectors(self, values: npt.NDArray[np.floating], *, bounded: bool = False) -> int:
        """Add an accessor of `values` (n, 2 or 3); return its number.

        `bounded` adds their range, which positions need.
        """
        stored = values.astype("<f4")
        accessor = {
            "bufferView": self.add_bytes(stored.tobytes(), target=_VERTICES),
            "componentType": _FLOAT,
            "count": len(stored),
            "type": f"VEC{stored.shape[1]}",
        }
        if bounded:
            accessor |= {"min": stored.min(axis=0).tolist(), "max": stored.max(axis=0).tolist()}
        return self.add_accessor(**accessor)

    def add_accessor(self, **properties: Any) -> int:
        """Add an accessor; return its number."""
        self.accessors.append(properties)
        return len(self.accessors) - 1

    def add_indices(self, mesh: Mesh) -> int:
        view = self.add_bytes(mesh.faces.astype("<u4").tobytes(), target=_INDICES)
        return self.add_accessor(bufferView=view, componentType=_UINT32, count=mesh.faces.size, type="SCALAR")


def coloured(mesh: Mesh, colours: Singles) -> bytes:
    """Return a GLB of `mesh` (in model coordinates) with `colours` (vertices, 3), sRGB 0 to 255."""
    document = _Document()
    primitive = _primitive(document, mesh, mesh.normals(), COLOR_0=document.add_vectors(linear(colours)))
    return _encoded(document, primitive, {})


def textured(model: Textured, *, jpeg_quality: int = _JPEG_QUALITY) -> bytes:
    """Return a GLB of `model` with its texture as a JPEG."""
    document = _Document()
    primitive = _primitive(document, model.mesh, model.normals, TEXCOORD_0=document.add_vectors(model.uv))
    return _pictured(document, primitive, model.texture, jpeg_quality)


def compressed(model: Textured) -> bytes:
    """Return a GLB of `model` with a slightly coarser mesh in Draco's compression (KHR_draco_mesh_compression) and a
    smaller texture.
    """
    packed = DracoPy.encode(
        model.mesh.vertices.astype(np.float32),
        model.mesh.faces.astype(np.uint32),
        quantization_bits=_POSITION_BITS,
        compression_level=_DRACO_LEVEL,
        normals=unit(model.normals),
        normal_quantization_bits=_NORMAL_BITS,
        tex_coord=model.uv,
        tex_coord_quantization_bits=_UV_BITS,
    )
    unpacked = DracoPy.decode(packed)  # the number of vertices may have changed
    document = _Document()
    attributes, places = {}, {}
    for attribute in unpacked.attributes:
        name, kind = _OF_DRACO[attribute["attribute_type"]]
        places[name] = attribute["unique_id"]
        attributes[name] = document.add_accessor(componentType=_FLOAT, count=len(unpacked.points), type=kind)
    points = unpacked.points.astype(np.float32)
    document.accessors[attributes["POSITION"]] |= {
        "min": points.min(axis=0).tolist(),
        "max": points.max(axis=0).tolist(),
    }
    extension = {"bufferView": document.add_bytes(packed), "attributes": places}
    primitive = {
        "attributes": attributes,
        "indices": document.add_accessor(componentType=_UINT32, count=unpacked.faces.size, type="SCALAR"),
        "extensions": {_DRACO: extension},
    }
    needs = {"extensionsUsed": [_DRACO], "extensionsRequired": [_DRACO]}
    return _pictured(document, primitive, model.texture, _COMPRESSED_QUALITY, **needs)


def linear(colours: Singles) -> Singles:
    """Return intensities 0 to 1 of sRGB values 0 to 255: in glTF, vertex colours are linear, and only textures are
    sRGB.
    """
    encoded = np.clip(colours / 255.0, 0.0, 1.0)
    curved = ((encoded + _SRGB_OFFSET) / (1.0 + _SRGB_OFFSET)) ** _SRGB_POWER
    return np.asarray(np.where(encoded <= _SRGB_BREAK, encoded / _SRGB_SLOPE, curved), dtype=np.float32)


def _pictured(document: _Document, primitive: dict[str, Any], texture: Pixels, quality: int, **more: Any) -> bytes:
    encoded = io.BytesIO()
    # Full chroma: a texel is a pixel of a photo, and the usual 4:2:0 would halve the resolution of its colours.
    Image.fromarray(texture).save(encoded, "JPEG", quality=quality, subsampling=0)
    picture = {"bufferView": document.add_bytes(encoded.getvalue()), "mimeType": "image/jpeg"}
    sampler = {"magFilter": _LINEAR, "minFilter": _LINEAR_MIPMAP_LINEAR, "wrapS": _CLAMP, "wrapT": _CLAMP}
    return _encoded(
        document,
        primitive,
        {"baseColorTexture": {"index": 0}},
        images=[picture],
        samplers=[sampler],
        textures=[{"source": 0, "sampler": 0}],
        **more,
    )


def unit(normals: Doubles) -> Doubles:
    """Return `normals`, with a unit vector for vertices whose faces have no area."""
    undefined = np.linalg.norm(normals, axis=1) < _SHORTEST_NORMAL
    defined: Doubles = np.where(undefined[:, None], _UP, normals)
    return defined


def _primitive(document: _Document, mesh: Mesh, normals: Doubles, **accessors: int) -> dict[str, Any]:
    attributes = {
        "POSITION": document.add_vectors(mesh.vertices, bounded=True),
        "NORMAL": document.add_vectors(unit(normals)),
        **accessors,
    }
    return {"attributes": attributes, "indices": document.add_indices(mesh)}


def _encoded(document: _Document, primitive: dict[str, Any], surface: dict[str, Any], **more: Any) -> bytes:
    """Return the GLB.

    `primitive` is the mesh, `surface` the texture of its material, if any, and `more` the parts for it.
    """
    content = {
        "asset": {"version": "2.0", "generator": _GENERATOR},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0, "name": "model"}],
        "meshes": [{"primitives": [{**primitive, "material": 0}]}],
        # One-sided: no photo shows the back of a face, and a room is seen into from outside.
        "materials": [{"pbrMetallicRoughness": {"metallicFactor": 0.0, "roughnessFactor": 1.0, **surface}}],
        **more,
        "accessors": document.accessors,
        "bufferViews": document.views,
        "buffers": [{"byteLength": len(document.binary)}],
    }
    text = json.dumps(content, separators=(",", ":")).encode()
    chunks = (_chunk(b"JSON", text, b" "), _chunk(b"BIN\0", bytes(document.binary), b"\0"))
    return struct.pack("<4sII", b"glTF", 2, 12 + sum(map(len, chunks))) + b"".join(chunks)


def _chunk(kind: bytes, content: bytes, padding: bytes) -> bytes:
    padded = content + padding * (-len(content) % 4)
    return struct.pack("<I4s", len(padded), kind) + padded
