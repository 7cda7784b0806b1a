"""COLMAP: the only module that imports pycolmap, after the libraries that must be loaded first.

pycolmap's shared object exports the symbols of its own copies of zlib, SQLite, OpenSSL and others. If the system's
libraries are loaded later (as in builds of Python whose `zlib` is a separate module), their internal calls bind to
those copies, and the next compression aborts the process with "free(): invalid pointer". So the modules of the standard
library that use these libraries are imported first.

For the same reason COLMAP's database is opened only through pycolmap. With two copies of SQLite in one process, closing
a file in one drops the other's locks on it (POSIX locks belong to the process), and the process dies of SIGBUS.

pycolmap's own copy of OpenBLAS is not safe in threads: products of matrices that several of them compute at once are
wrong now and then, as OpenBLAS issues 1755 and 2126 describe it for builds without locks. FAISS computes them while
COLMAP matches features: of 100 times that two threads matched twelve photos, two gave other matches, and seven of 130
with sixteen threads. So FAISS' own code computes the distances, which takes a quarter more of the CPU time of matching.
"""

from __future__ import annotations

import bz2  # noqa: F401  # loaded before pycolmap, see above
import ctypes
import lzma  # noqa: F401  # the same
import os
import sqlite3  # noqa: F401  # the same
import ssl  # noqa: F401  # the same
import zlib  # noqa: F401  # the same

import numpy as np
import pycolmap

from reconstruction_operator.models.photogrammetry.arrays import Doubles
from reconstruction_operator.models.photogrammetry.sparse.cameras import Camera, Radial

_ERRORS_ONLY = 2

pycolmap.logging.minloglevel = _ERRORS_ONLY

CPU = pycolmap.Device.cpu

__all__ = ["CPU", "IS_SAFE_IN_THREADS", "add_photo", "pycolmap"]

# FAISS leaves distances to BLAS from this number of vectors on ("distance_compute_blas_threshold")
_BLAS_THRESHOLD = "_ZN5faiss31distance_compute_blas_thresholdE"
_NEVER = 2**31 - 1


def _computes_without_blas(symbol: str) -> bool:
    """Return whether FAISS computes all distances itself, now that its threshold is raised.

    `symbol` is the name of the threshold in pycolmap's shared object, which another build may not have.
    """
    try:
        shared = ctypes.CDLL(pycolmap._core.__file__)  # noqa: SLF001  # its name depends on Python and platform
        ctypes.c_int.in_dll(shared, symbol).value = _NEVER
    except (OSError, ValueError):
        return False
    return True


IS_SAFE_IN_THREADS = _computes_without_blas(_BLAS_THRESHOLD)
"""Whether several threads may match features: otherwise they get wrong matches now and then."""


def add_photo(
    model: pycolmap.Reconstruction,
    number: int,
    name: str,
    camera: Camera,
    pixels: Doubles,
    *,
    radial: Radial | None = None,
) -> None:
    """Add a photo with features at `pixels` (n, 2), and its camera, to `model`, both with that number.

    `radial` is the distortion of its lens, None: the photo is undistorted. In COLMAP, pixel centres are at halves.
    """
    (across, _, column), (_, down, row), _ = camera.intrinsics
    kind, lens = "PINHOLE", [across, down, column + 0.5, row + 0.5]
    if radial is not None:
        kind, lens = "SIMPLE_RADIAL", [across, column + 0.5, row + 0.5, radial.first]
        if radial.second:
            kind, lens = "RADIAL", [*lens, radial.second]
    model.add_camera_with_trivial_rig(
        pycolmap.Camera(model=kind, width=camera.width, height=camera.height, params=lens, camera_id=number)
    )
    image = pycolmap.Image(name=os.fsencode(name), keypoints=pixels + 0.5, camera_id=number, image_id=number)
    pose = pycolmap.Rigid3d(np.column_stack([camera.rotation, camera.translation]))
    model.add_image_with_trivial_frame(image, pose)
