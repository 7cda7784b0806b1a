"""Shapes: meshes of the scenes, with z up and the ground at z = 0."""

from __future__ import annotations

import base64
import functools
import hashlib
import json
import re
import subprocess
import tarfile
import tempfile
from pathlib import Path

import numpy as np
import trimesh
from reconstruction_operator.models.photogrammetry.arrays import Doubles, Integers
from reconstruction_operator.models.photogrammetry.surface.meshes import Mesh, extents

from benchmarks.scenes.paint import Noise

_BUNNY = "bunny@1.0.1"  # npm: the Stanford bunny, in the public domain
_BUNNY_SHA512 = "KsMt755E0AVYjeUnQeOPtVNGuDLiWjJ6VIoyywLmVx5R6QliuL5AS0X/gi+ORDDlBZfOaDBAqdqCv5XAlF9tCQ=="
_SUBDIVISIONS = 3  # of the bunny's 3,700 triangles: smooth at the size of a pixel

_HOUSE_LENGTH, _HOUSE_WIDTH, _HOUSE_HEIGHT = 12.0, 8.0, 4.0  # m
_HOUSE_ROUNDNESS = 4.0  # exponent of the superellipse: 2 is an ellipse, more is closer to a rectangle
_HOUSE_STEP = 0.04  # m between the vertices of the walls
_HOUSE_RELIEF = 0.35  # m


def bunny() -> Mesh:
    """Return the Stanford bunny, 1 high, with thin ears and a concave neck, from npm's registry.

    Raises RuntimeError if npm cannot fetch it, or if the file's digest differs.
    """
    with tempfile.TemporaryDirectory() as folder:
        command = ["npm", "pack", "--silent", "--pack-destination", folder, _BUNNY]
        fetched = subprocess.run(command, capture_output=True, text=True, check=False)
        archives = list(Path(folder).glob("*.tgz"))
        if fetched.returncode or not archives:
            raise RuntimeError(f"npm cannot fetch {_BUNNY}: {fetched.stderr.strip()}")
        if base64.b64encode(hashlib.sha512(archives[0].read_bytes()).digest()).decode() != _BUNNY_SHA512:
            raise RuntimeError(f"{_BUNNY} is not the file that was reviewed")
        with tarfile.open(archives[0]) as archive:
            file = archive.extractfile("package/index.js")
            text = file.read().decode() if file else ""
    numbers = dict(re.findall(r"exports\.(\w+)\s*=\s*(\[\[.*?\]\])", text, re.DOTALL))
    y_up = np.array(json.loads(numbers["positions"]), dtype=np.float64)
    z_up = np.stack([y_up[:, 0], -y_up[:, 2], y_up[:, 1]], axis=1)
    smooth = trimesh.Trimesh(z_up, json.loads(numbers["cells"])).subdivide_loop(_SUBDIVISIONS)
    return _standing(np.asarray(smooth.vertices, dtype=np.float64), np.asarray(smooth.faces, dtype=np.int64))


def ground(reach: float) -> Mesh:
    """Return a square of ground, `reach` in each direction from 0."""
    corners = np.array([[-1.0, -1.0, 0.0], [1.0, -1.0, 0.0], [1.0, 1.0, 0.0], [-1.0, 1.0, 0.0]])
    return Mesh(corners * reach, np.array([[0, 1, 2], [0, 2, 3]]))


@functools.cache
def house() -> Mesh:
    """Return a building with rounded corners and a rough wall, in metres."""
    along = outline(0.0, round(2 * (_HOUSE_LENGTH + _HOUSE_WIDTH) / _HOUSE_STEP))
    levels = np.linspace(0.0, _HOUSE_HEIGHT, round(_HOUSE_HEIGHT / _HOUSE_STEP))
    wall = np.concatenate([np.column_stack([along, np.full(len(along), level)]) for level in levels])
    relief = Noise(seed=3, wavelength=1.5, octaves=4)(wall) * _HOUSE_RELIEF
    inwards = wall * [1.0, 1.0, 0.0]
    wall -= inwards / np.linalg.norm(inwards, axis=1, keepdims=True) * relief[:, None]
    count = len(along)
    here = np.arange(count * (len(levels) - 1))
    beside = here - here % count + (here + 1) % count
    walls = np.concatenate(
        [np.stack([here, beside, beside + count], axis=1), np.stack([here, beside + count, here + count], axis=1)]
    )
    top = np.arange(len(wall) - count, len(wall))
    roof = np.stack([top, np.roll(top, -1), np.full(count, len(wall))], axis=1)
    return Mesh(np.concatenate([wall, [[0.0, 0.0, _HOUSE_HEIGHT]]]), np.concatenate([walls, roof]))


def outline(distance: float, count: int) -> Doubles:
    """Return points (count, 2) evenly around the house, `distance` m from its wall, counter-clockwise."""
    angles = np.linspace(0.0, 2 * np.pi, 20_000)
    half = np.array([_HOUSE_LENGTH, _HOUSE_WIDTH]) / 2 + distance
    cosine = np.cos(angles)
    sine = np.sin(angles)
    power = 2 / _HOUSE_ROUNDNESS
    curve = half * np.stack([np.sign(cosine) * np.abs(cosine) ** power, np.sign(sine) * np.abs(sine) ** power], axis=1)
    passed = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(curve, axis=0), axis=1))])
    wanted = np.arange(count) * passed[-1] / count
    return np.stack([np.interp(wanted, passed, curve[:, axis]) for axis in range(2)], axis=1)


def moved(mesh: Mesh, place: tuple[float, float]) -> Mesh:
    """Return the mesh `place` farther along x and y."""
    return Mesh(mesh.vertices + np.array([*place, 0.0]), mesh.faces)


def joined(first: Mesh, second: Mesh) -> Mesh:
    """Return both as one mesh, with the faces of `first` first."""
    return Mesh(
        np.concatenate([first.vertices, second.vertices]),
        np.concatenate([first.faces, second.faces + len(first.vertices)]),
    )


def _standing(vertices: Doubles, faces: Integers) -> Mesh:
    """Return the mesh scaled to a height of 1, in the middle of the ground."""
    low = vertices.min(axis=0)
    size = extents(vertices)
    return Mesh((vertices - low - size * [0.5, 0.5, 0.0]) / size[2], faces)
