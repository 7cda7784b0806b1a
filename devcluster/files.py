"""Files: the checkout, the cache, the folder of all runs, locks and secrets.

The folder of all runs is private: a cluster's files hold its administrator's token.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from devcluster.errors import DevclusterError

CHECKOUT = Path(__file__).resolve().parents[1]
_NAME = "reconstruction-operator"


def cache_folder() -> Path:
    """Return the folder for files that can be made again, and may stay for ever."""
    # By the XDG rules a relative path is ignored.
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if not base.is_absolute():
        base = Path.home() / ".cache"
    folder = base / _NAME
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def runs_folder() -> Path:
    """Return the folder in which each running cluster and Redis has its own folder.

    It is in the temporary folder, not in the home: etcd preallocates 124 MB, and a home may be on a network file
    system.
    """
    folder = Path(tempfile.gettempdir()) / f"{_NAME}-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    # The name can be guessed, so another user may have made the folder first.
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o077:
        raise DevclusterError(f"{folder} is not a private folder of this user: remove it, or set TMPDIR")
    return folder


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock file. Wait for it without a time limit."""
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def locked_if_free(path: Path) -> Iterator[bool]:
    """Hold a lock file, unless another process holds it; yield whether this process does."""
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def write_private(path: Path, content: bytes) -> None:
    """Write or replace a file, which has mode 0600 from the first moment on."""
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
    new.replace(path)
