"""Local inputs: checks which folders and archives a job may read, lists them, and opens their files safely."""

from __future__ import annotations

import itertools
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from reconstruction_operator.planning.validation import ARCHIVE_SUFFIXES
from reconstruction_operator.transfer import names, tenancy, uris
from reconstruction_operator.transfer.errors import StorageError
from reconstruction_operator.transfer.limits import Limits
from reconstruction_operator.transfer.names import Ignored
from reconstruction_operator.units import megabytes

_REFUSED: Final = "INPUT_REFUSED"
_MISSING: Final = "INPUT_NOT_FOUND"
_SHOWN_NAMES: Final = 8
_LISTED_NAMES: Final = 1_000  # maximum number of entries to read for a message


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder that a job may read. `label` is its name in messages: the text of the job's author."""

    path: Path  # resolved
    label: str
    photos: tuple[str, ...]  # paths below the folder, in natural order
    bytes: int  # of all photos
    ignored: Ignored

    def open(self, photo: str) -> BinaryIO:
        """Open a photo by its path below the folder. Raises StorageError: INPUT_NOT_FOUND or INPUT_REFUSED."""
        name = names.printable(photo)
        label, what = f"{self.label.rstrip('/')}/{name}", f"photo {name} in {self.label}"
        return _opened(self.path / photo, label, what, inside=self.path)


def permitted(path: Path, label: str, limits: Limits) -> Path:
    """Return the real path of the input `path` of a URI (`label` in messages), which exists and which the job may read.

    Call it once, and use only the returned path from then on (TOCTOU).

    Raises StorageError: INPUT_NOT_FOUND or INPUT_REFUSED.
    """
    real = uris.resolved(limits.located(path), _REFUSED)
    jobs = limits.jobs_dir.resolve()
    # The job folders contain the photos and meshes of other jobs.
    overlaps_jobs = real.is_relative_to(jobs) or jobs.is_relative_to(real)
    if not uris.lies_below(real, limits.roots) or overlaps_jobs:
        roots = ", ".join(limits.named_roots)
        raise StorageError(_REFUSED, f"{label} is not in a folder that this worker may read ({roots})")
    if not _is_granted(real, limits):
        raise StorageError(_REFUSED, tenancy.refusal(limits.granted or (), limits.namespace, "read", label))
    if not real.exists():
        raise StorageError(_MISSING, f"there is no {label} on this worker{_neighbours(path, limits)}")
    return real


def _is_granted(real: Path, limits: Limits) -> bool:
    return limits.granted is None or uris.lies_below(real, map(limits.located, tenancy.folders(limits.granted)))


def _neighbours(path: Path, limits: Limits) -> str:
    """Return what the deepest existing folder of the path contains ("; /photos has: banana, lund"), if the job may read
    it.
    """
    for parent in path.parents:
        real = limits.located(parent).resolve()
        if not (uris.lies_below(real, limits.roots) and _is_granted(real, limits)):
            return ""
        if real.is_dir():
            inputs = _inputs_in(real)
            if inputs is None:
                return ""
            more = ", …" if len(inputs) > _SHOWN_NAMES else ""
            return f"; {parent} has: {', '.join(inputs[:_SHOWN_NAMES])}{more}" if inputs else f"; {parent} is empty"
    return ""


def _inputs_in(folder: Path) -> list[str] | None:
    """Return the names of the folders and archives in a folder; None if it cannot be listed."""
    try:
        with os.scandir(folder) as entries:
            inputs = [
                names.printable(entry.name)
                for entry in itertools.islice(entries, _LISTED_NAMES)
                if not entry.name.startswith(".") and (entry.is_dir() or entry.name.lower().endswith(ARCHIVE_SUFFIXES))
            ]
    except OSError:
        return None
    return sorted(inputs, key=names.natural)


def list_folder(folder: Path, label: str, limits: Limits) -> Folder:
    """List the photos in the resolved `folder` (`label` in messages: the text of the job's author).

    Raises StorageError: INPUT_NOT_FOUND or INPUT_REFUSED.
    """
    if not folder.is_dir():
        raise StorageError(_MISSING, f"there is no folder {label} on this worker")
    try:
        sizes, links = _sizes(folder, label, limits)
    except PermissionError as error:
        below = names.printable(Path(str(error.filename)).relative_to(folder).as_posix())
        what = label if below == "." else f"{below} in {label}"
        raise StorageError(_MISSING, f"this worker may not read {what}") from None
    photos = tuple(sorted(filter(names.is_photo, sizes), key=names.natural))
    total = sum(sizes[name] for name in photos)
    if total > limits.max_bytes:
        had = megabytes(total)
        most = megabytes(limits.max_bytes)
        raise StorageError(_REFUSED, f"{len(photos)} photos in {label} have {had}; this worker accepts at most {most}")
    others = (name for name in sizes if not names.is_photo(name))
    return Folder(folder, label, photos, total, names.ignored(others, links))


def open_archive(real: Path, label: str) -> BinaryIO:
    """Open an archive. Raises StorageError: INPUT_NOT_FOUND or INPUT_REFUSED."""
    return _opened(real, label, f"archive {label}", inside=real)


def _opened(source: Path, label: str, what: str, *, inside: Path) -> BinaryIO:
    """Open the regular file `source` (`label` or `what` in messages), which is the resolved path `inside` or below it.

    TOCTOU: a link or a pipe may have replaced the file, or a folder above it, since the check. So the check is repeated
    on the open file.
    """
    try:
        file = os.fdopen(os.open(source, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb")
    except (FileNotFoundError, PermissionError) as error:
        raise StorageError(_MISSING, f"{what} cannot be read: {error.strerror}") from None
    real = Path(f"/proc/self/fd/{file.fileno()}").readlink()
    if not real.is_relative_to(inside) or not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise StorageError(_REFUSED, f"{label} was replaced while it was read")
    return file


def _sizes(folder: Path, label: str, limits: Limits) -> tuple[dict[str, int], int]:
    """Return the relative names and sizes in bytes of all regular files, and the number of links that are not followed.

    Links to folders are not entered: their files may lie anywhere, and links may form a circle.
    """

    def fail(error: OSError) -> None:
        raise error

    sizes, entries, links = dict[str, int](), 0, 0
    for root, folders, files in os.walk(folder, onerror=fail):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        linked = [name for name in folders if (Path(root) / name).is_symlink()]
        entries += len(files) + len(linked)
        if entries > limits.max_files:
            raise StorageError(_REFUSED, f"{label} contains more than {limits.max_files} files")
        for path in (Path(root) / name for name in sorted([*files, *linked])):
            if path.is_file() and path.resolve().is_relative_to(folder):
                sizes[path.relative_to(folder).as_posix()] = path.stat().st_size
            elif path.is_symlink() and not names.is_junk(path.name):
                links += 1
    return sizes, links
