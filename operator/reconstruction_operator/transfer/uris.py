"""URIs of inputs and outputs: parses them, resolves them to paths, and redacts them for logs."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from reconstruction_operator.transfer import names
from reconstruction_operator.transfer.errors import StorageError

_MAX_SHOWN_CHARS = 200


def redacted(uri: str) -> str:
    """Return the URI for logs and messages: without user, password and query, which may contain a signature."""
    try:
        parts = urlsplit(uri)
    except ValueError:
        return "(an invalid URI)"
    host = parts.netloc.rpartition("@")[2]
    label = parts._replace(netloc=host, query="…" if parts.query else "", fragment="").geturl()
    return names.printable(label)[:_MAX_SHOWN_CHARS]


def split(uri: str, reason: str) -> SplitResult:
    """Split a URI into its parts. Raises StorageError (`reason`) if the text is not a URI."""
    try:
        parts = urlsplit(uri)
        _ = parts.port  # is checked only on access
    except ValueError as error:
        raise StorageError(reason, f"{redacted(uri)} is not a URI: {error}") from None
    if not parts.scheme:
        raise StorageError(reason, f"{redacted(uri) or 'the empty text'} is not a URI: it has no scheme (file://)")
    return parts


def local_path(parts: SplitResult, reason: str) -> Path:
    """Return the path of a `file://` URI, without accessing the disk.

    Raises StorageError (`reason`) if the URI names another machine, or has no absolute path.
    """
    label = redacted(parts.geturl())
    if parts.netloc not in ("", "localhost"):
        raise StorageError(reason, f"{label} names the machine {parts.hostname}: use three slashes after file:")
    path = unquote(parts.path)
    if not path.startswith("/") or "\x00" in path:
        raise StorageError(reason, f"{label} is not an absolute path")
    if parts.query or parts.fragment:
        raise StorageError(reason, f"{label} contains ? or #: write %3F or %23 for these characters in a name")
    return Path(path)


def resolved(path: Path, reason: str) -> Path:
    """Return `path` with all links resolved. It need not exist.

    Raises StorageError (`reason`) for a path that cannot exist: its links form a loop, a name is too long, or a link
    was replaced meanwhile.
    """
    try:
        real = path.resolve()
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            real.stat()  # `resolve` does not report a name that is too long
    except RuntimeError:  # in Python before 3.13
        raise StorageError(reason, f"{path} cannot be resolved: its links form a loop") from None
    except OSError as error:
        if error.errno not in (errno.ENAMETOOLONG, errno.ELOOP, errno.EINVAL):
            raise
        raise StorageError(reason, f"{path} cannot be resolved: {error.strerror}") from None
    return real


def lies_below(real: Path, folders: Iterable[Path]) -> bool:
    """Return whether the resolved path `real` is one of the folders, or below one."""
    return any(real.is_relative_to(folder.resolve()) for folder in folders)
