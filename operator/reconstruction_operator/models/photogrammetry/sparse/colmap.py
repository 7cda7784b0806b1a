"""COLMAP: the only module that imports pycolmap, after the libraries that must be loaded first.

pycolmap's shared object exports the symbols of its own copies of zlib, SQLite, OpenSSL and others. If the system's libraries are loaded
later (as in builds of Python whose `zlib` is a separate module), their internal calls bind to those copies, and the next compression
aborts the process with "free(): invalid pointer". So the modules of the standard library that use these libraries are imported first.

For the same reason COLMAP's database is opened only through pycolmap. With two copies of SQLite in one process, closing a file in one
drops the other's locks on it (POSIX locks belong to the process), and the process dies of SIGBUS.
"""

from __future__ import annotations

import bz2  # noqa: F401  # loaded before pycolmap, see above
import lzma  # noqa: F401  # the same
import sqlite3  # noqa: F401  # the same
import ssl  # noqa: F401  # the same
import zlib  # noqa: F401  # the same

import pycolmap

_ERRORS_ONLY = 2

pycolmap.logging.minloglevel = _ERRORS_ONLY

CPU = pycolmap.Device.cpu

__all__ = ["CPU", "pycolmap"]
