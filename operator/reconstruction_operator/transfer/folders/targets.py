"""Targets: the folder that a `file://` output names, and whether a job may write there."""

from __future__ import annotations

import contextlib
import errno
import re
from pathlib import Path
from typing import Final

from reconstruction_operator import config
from reconstruction_operator.transfer import tenancy, uris
from reconstruction_operator.transfer.errors import StorageError
from reconstruction_operator.transfer.folders.directories import Directory

REFUSED: Final = "OUTPUT_REFUSED"
_NOT_WRITABLE: Final = (errno.EACCES, errno.EPERM, errno.EROFS)
STAGING: Final = re.compile(r"\.(?P<job>.+)\.(?P<attempt>[0-9]{1,10})\.[0-9a-f]{32}\.partial")
"""Names of staging directories, which lie beside the target."""


def find(uri: str, namespace: str) -> Path:
    """The folder that `uri` names, with all links followed. It need not exist.

    Raises StorageError (OUTPUT_REFUSED) if a job of the namespace may not write there, or no folder can be there.
    """
    parts = uris.split(uri, REFUSED)
    if parts.scheme != "file":
        raise StorageError(REFUSED, f"{parts.scheme}:// is not written by this worker; it takes file://")
    path = uris.local_path(parts, REFUSED)
    roots = tuple(Path(root) for root in config.settings.OUTPUT_ROOTS)
    real = uris.resolved(path, REFUSED)
    inside = uris.lies_below(real, roots) and real not in {root.resolve() for root in roots}
    if not inside or uris.lies_below(real, (Path(config.settings.JOBS_DIR),)):
        allowed = ", ".join(config.settings.OUTPUT_ROOTS) or "none"
        raise StorageError(REFUSED, f"{path} does not lie below a folder that this worker may write to ({allowed})")
    granted = tenancy.granted(config.settings.NAMESPACE_OUTPUTS, namespace)
    if granted is not None and not uris.lies_below(real, tenancy.folders(granted)):
        raise StorageError(REFUSED, tenancy.refusal(granted, namespace, "write to", str(path)))
    if any(STAGING.fullmatch(part) for part in real.parts):
        raise StorageError(REFUSED, f"{path} is named like a delivery that is under way")
    above = next(one for one in real.parents if one.exists())
    if not above.is_dir():
        raise StorageError(REFUSED, f"{path} cannot be a folder: {above} is not one")
    return real


def probe(place: Directory, name: str) -> None:
    """Makes a directory of that name and removes it. Raises StorageError (OUTPUT_REFUSED) if the worker may not write there."""
    try:
        place.make(name)
        with contextlib.suppress(FileNotFoundError):  # a later run has just taken it
            place.remove(name)
    except OSError as error:
        if error.errno not in _NOT_WRITABLE:
            raise
        raise StorageError(REFUSED, f"this worker may not write to {place.path}: {error.strerror}") from None
