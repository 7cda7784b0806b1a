"""Where things lie: what is built once, and what lives as long as a cluster.

Both are the user's own and unreadable for others: a cluster's folder holds its admin token.
"""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

from devcluster.errors import DevclusterError

_NAME = "reconstruction-operator"


def cache_folder() -> Path:
    """Return the folder for what may be kept for ever and can be made again."""
    # The XDG rules: a relative path is to be ignored.
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if not base.is_absolute():
        base = Path.home() / ".cache"
    folder = base / _NAME
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def runs_folder() -> Path:
    """Return the folder in which each running cluster and Redis has a folder of its own.

    Under the temporary folder and not in the home: etcd preallocates 124 MB, and a home may lie on a network.
    """
    folder = Path(tempfile.gettempdir()) / f"{_NAME}-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    # The name can be guessed, so another user may have made it before us.
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise DevclusterError(f"{folder} is not a private folder of this user: remove it, or set TMPDIR")
    return folder
