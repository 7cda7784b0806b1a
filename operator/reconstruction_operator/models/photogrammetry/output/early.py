"""Early look: the cameras and the sparse points as a small GLB, which users see while the run goes on.

Each point is a tetrahedron and each camera a pyramid: viewers draw points of glTF one pixel wide.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from reconstruction_operator.models.photogrammetry.arrays import Doubles, Integers, Singles
from reconstruction_operator.models.photogrammetry.output import glb
from reconstruction_operator.models.photogrammetry.placing import upright
from reconstruction_operator.models.photogrammetry.sparse.cameras import Camera
from reconstruction_operator.models.photogrammetry.sparse.mapping import SparseModel
from reconstruction_operator.models.photogrammetry.surface.meshes import Mesh

_MOST_POINTS = 4_000  # about 800 kB
_FAR = 2.0  # times the distance of most points from the middle; farther points are mostly wrong
_MOST_PERCENT = 80.0
_POINT_SIZE = 0.25  # of the box's side, for one point; more points are smaller
_CAMERA_SIZE = 0.12  # of the box's side
_CAMERA_COLOUR = (255.0, 140.0, 0.0)
_REDUCED = 4  # photos are read in a quarter of their size
_TETRAHEDRON = np.array([[1.0, 1.0, 1.0], [1.0, -1.0, -1.0], [-1.0, 1.0, -1.0], [-1.0, -1.0, 1.0]])
_TETRAHEDRON_FACES = np.array([[0, 1, 2], [0, 3, 1], [0, 2, 3], [1, 3, 2]])
_PYRAMID_FACES = np.array([[0, 2, 1], [0, 3, 2], [0, 4, 3], [0, 1, 4], [1, 2, 3], [1, 3, 4]])


def write(path: Path, sparse: SparseModel, up: Doubles, pictures: Path) -> None:
    """Write a GLB of `sparse`, whose `up` (3,) becomes +Y; the prepared photos are in `pictures`.

    A reader never sees half of it.
    """
    middle = np.median(sparse.points, axis=0)
    distances = np.linalg.norm(sparse.points - middle, axis=1)
    near = np.flatnonzero(distances <= _FAR * np.percentile(distances, _MOST_PERCENT))
    near = near[:: -(-len(near) // _MOST_POINTS)]
    cameras = [photo.camera for photo in sparse.photos]
    frame = upright.frame(sparse.points[near], up, cameras[0].centre - np.median(sparse.points[near], axis=0))

    points = frame.apply(sparse.points[near])[:, None] + _POINT_SIZE / np.sqrt(len(near)) * _TETRAHEDRON
    corners = np.stack([_pyramid(camera, _CAMERA_SIZE / frame.scale) for camera in cameras])
    vertices = np.concatenate([points.reshape(-1, 3), frame.apply(corners.reshape(-1, 3))])
    faces = np.concatenate(
        [_repeated(_TETRAHEDRON_FACES, points), _repeated(_PYRAMID_FACES, corners) + points[..., 0].size]
    )
    colours = np.concatenate(
        [
            np.repeat(_colours(sparse, pictures)[near], len(_TETRAHEDRON), axis=0),
            np.broadcast_to(np.array(_CAMERA_COLOUR, np.float32), (corners[..., 0].size, 3)),
        ]
    )
    partial = path.with_suffix(".partial")
    partial.write_bytes(glb.coloured(Mesh(vertices, faces), colours))
    partial.rename(path)


def _pyramid(camera: Camera, depth: float) -> Doubles:
    """(5, 3): the centre of the camera, and the corners of its picture at that depth."""
    right, bottom = camera.width - 1.0, camera.height - 1.0
    pixels = np.array([[0.0, 0.0, 1.0], [right, 0.0, 1.0], [right, bottom, 1.0], [0.0, bottom, 1.0]])
    rays = pixels @ np.linalg.inv(camera.intrinsics).T @ camera.rotation
    return np.concatenate([camera.centre[None], camera.centre + depth * rays])


def _repeated(faces: Integers, solids: Doubles) -> Integers:
    """(solids * faces, 3): the faces of each of `solids` (n, vertices, 3)."""
    first = np.arange(len(solids)) * solids.shape[1]
    repeated: Integers = (first[:, None, None] + faces).reshape(-1, 3)
    return repeated


def _colours(sparse: SparseModel, pictures: Path) -> Singles:
    """(points, 3): the colour of each point in one of the photos that show it, sRGB 0 to 255."""
    colours = np.full((len(sparse.points), 3), 128.0, np.float32)
    for photo in sparse.photos:
        picture = cv2.imread(str(pictures / photo.name), cv2.IMREAD_REDUCED_COLOR_4)
        if picture is not None:
            columns, rows = np.clip(photo.pixels // _REDUCED, 0, np.array(picture.shape[1::-1]) - 1).astype(np.int64).T
            colours[photo.seen] = picture[rows, columns, ::-1]
    return colours
