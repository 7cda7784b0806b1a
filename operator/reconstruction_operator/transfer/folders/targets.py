"""Target folder: resolves a `file://` output, and checks that the job may write there."""

from __future__ import annotations

import contextlib
import errno
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from reconstruction_operator import config, disk
from reconstruction_operator.transfer import tenancy, uris
from reconstruction_operator.transfer.errors import StorageError
from reconstruction_operator.transfer.folders.directories import Directory

REFUSED: Final = "OUTPUT_REFUSED"
FAILED: Final = "OUTPUT_UPLOAD_FAILED"
_NOT_WRITABLE: Final = (errno.EACCES, errno.EPERM, errno.EROFS)
STAGING: Final = re.compile(r"\.(?P<job>.+)\.(?P<attempt>[0-9]{1,10})\.[0-9a-f]{32}\.partial")
"""Names of staging directories, which are beside the target."""


def find(uri: str, namespace: str) -> Path:
    """Return the folder that `uri` names, with all links resolved. It need not exist.

    Raises StorageError (OUTPUT_REFUSED) if jobs of the namespace may not write there, or the path cannot be a folder.
    """
    parts = uris.split(uri, REFUSED)
    if parts.scheme != "file":
        raise StorageError(REFUSED, f"{parts.scheme}:// is not written by this worker; it accepts file://")
    path = uris.local_path(parts, REFUSED)
    roots = tuple(Path(root) for root in config.settings.OUTPUT_ROOTS)
    real = uris.resolved(path, REFUSED)
    inside = uris.lies_below(real, roots) and real not in {root.resolve() for root in roots}
    if not inside or uris.lies_below(real, (Path(config.settings.JOBS_DIR),)):
        allowed = ", ".join(config.settings.OUTPUT_ROOTS) or "none"
        raise StorageError(REFUSED, f"{path} is not below a folder that this worker may write to ({allowed})")
    granted = tenancy.granted(config.settings.NAMESPACE_OUTPUTS, namespace)
    if granted is not None and not uris.lies_below(real, tenancy.folders(granted)):
        raise StorageError(REFUSED, tenancy.refusal(granted, namespace, "write to", str(path)))
    if any(STAGING.fullmatch(part) for part in real.parts):
        raise StorageError(REFUSED, f"{path} is named like the staging directory of a delivery")
    above = next(parent for parent in real.parents if parent.exists())
    if not above.is_dir():
        raise StorageError(REFUSED, f"{path} cannot be a folder: {above} is not a folder")
    return real


@contextlib.contextmanager
def writing(target: Path) -> Iterator[None]:
    """Raise StorageError (OUTPUT_UPLOAD_FAILED) if a disk or quota is full: it is the target's, and not the job
    volume's.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in disk.FULL:
            raise
        what = "quota is used up" if error.errno == errno.EDQUOT else "disk is full"
        raise StorageError(
            FAILED, f"the {what} at {target}: free space there, or use another spec.output.uri"
        ) from None


def probe(place: Directory, name: str) -> None:
    """Make a directory of that name and remove it.

    Raises StorageError (OUTPUT_REFUSED) if the worker may not write there.
    """
    try:
        place.make(name)
        with contextlib.suppress(FileNotFoundError):  # a later run took it over just now
            place.remove(name)
    except OSError as error:
        if error.errno not in _NOT_WRITABLE:
            raise
        raise StorageError(REFUSED, f"this worker may not write to {place.path}: {error.strerror}") from None
