"""Local inputs: checks which folders and archives a job may read, lists them, and opens their files safely."""

from __future__ import annotations

import itertools
import os
import stat
from collections.abc import Iterator, Mapping
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
    """The files in a folder and below it."""

    sizes: Mapping[str, int]  # bytes of each photo, by its path below the folder, in natural order
    ignored: Ignored

    @property
    def photos(self) -> list[str]:
        """Paths of the photos below the folder."""
        return list(self.sizes)

    @property
    def bytes(self) -> int:
        """Size of all photos."""
        return sum(self.sizes.values())


def permitted(path: Path, shown: str, limits: Limits) -> Path:
    """Return the real path of the input `path` of a URI (`shown` in messages), which exists and which the job may read.

    Call it once, and use only the returned path from then on (TOCTOU).

    Raises StorageError: INPUT_NOT_FOUND or INPUT_REFUSED.
    """
    real = uris.resolved(limits.located(path), _REFUSED)
    jobs = limits.jobs_dir.resolve()
    # The job folders contain the photos and meshes of other jobs.
    overlaps_jobs = real.is_relative_to(jobs) or jobs.is_relative_to(real)
    if not uris.lies_below(real, limits.roots) or overlaps_jobs:
        roots = ", ".join(limits.named_roots)
        raise StorageError(_REFUSED, f"{shown} is not in a folder that this worker may read ({roots})")
    if not _is_granted(real, limits):
        raise StorageError(_REFUSED, tenancy.refusal(limits.granted or (), limits.namespace, "read", shown))
    if not real.exists():
        raise StorageError(_MISSING, f"there is no {shown} on this worker{_neighbours(path, limits)}")
    return real


def _is_granted(real: Path, limits: Limits) -> bool:
    return limits.granted is None or uris.lies_below(real, map(limits.located, tenancy.folders(limits.granted)))


def _neighbours(path: Path, limits: Limits) -> str:
    """Return what the deepest existing folder of the path contains ("; /photos has: banana, lund"), if the job may read it."""
    for parent in path.parents:
        real = limits.located(parent).resolve()
        if not (uris.lies_below(real, limits.roots) and _is_granted(real, limits)):
            return ""
        if real.is_dir():
            found = _inputs_in(real)
            if found is None:
                return ""
            more = ", …" if len(found) > _SHOWN_NAMES else ""
            return f"; {parent} has: {', '.join(found[:_SHOWN_NAMES])}{more}" if found else f"; {parent} is empty"
    return ""


def _inputs_in(folder: Path) -> list[str] | None:
    """Return the names of the folders and archives in a folder; None if it cannot be listed."""
    try:
        with os.scandir(folder) as entries:
            found = [
                names.printable(one.name)
                for one in itertools.islice(entries, _LISTED_NAMES)
                if not one.name.startswith(".") and (one.is_dir() or one.name.lower().endswith(ARCHIVE_SUFFIXES))
            ]
    except OSError:
        return None
    return sorted(found, key=names.natural)


def list_folder(folder: Path, shown: str, limits: Limits) -> Folder:
    """List the photos in the resolved `folder` (`shown` in messages: the text of the job's author).

    Raises StorageError: INPUT_NOT_FOUND or INPUT_REFUSED.
    """
    if not folder.is_dir():
        raise StorageError(_MISSING, f"there is no folder {shown} on this worker")
    try:
        found, links = _sizes(folder, shown, limits)
    except PermissionError as error:
        below = names.printable(Path(str(error.filename)).relative_to(folder).as_posix())
        what = shown if below == "." else f"{below} in {shown}"
        raise StorageError(_MISSING, f"this worker may not read {what}") from None
    photos = sorted((name for name in found if names.is_photo(name)), key=names.natural)
    others = (name for name in found if not names.is_photo(name))
    listed = Folder({name: found[name] for name in photos}, names.ignored(others, links))
    if listed.bytes > limits.max_bytes:
        had, most = megabytes(listed.bytes), megabytes(limits.max_bytes)
        raise StorageError(_REFUSED, f"{len(photos)} photos in {shown} have {had}; this worker accepts at most {most}")
    return listed


def unreadable(photo: str, shown: str, error: OSError) -> StorageError:
    """Return the failure for a photo in the folder `shown` that cannot be opened."""
    return StorageError(_MISSING, f"photo {names.printable(photo)} in {shown} cannot be read: {error.strerror}")


def open_archive(real: Path, shown: str) -> BinaryIO:
    """Open an archive. Raises StorageError: INPUT_NOT_FOUND or INPUT_REFUSED."""
    try:
        return opened(real, shown, inside=real)
    except (FileNotFoundError, PermissionError) as error:
        raise StorageError(_MISSING, f"archive {shown} cannot be read: {error.strerror}") from None


def opened(source: Path, shown: str, *, inside: Path) -> BinaryIO:
    """Open the regular file `source` (`shown` in messages), which is the resolved path `inside` or below it.

    TOCTOU: a link or a pipe may have replaced the file, or a folder above it, since the check. So the check is repeated on the open file.
    """
    file = os.fdopen(os.open(source, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb")
    real = Path(f"/proc/self/fd/{file.fileno()}").readlink()
    if not real.is_relative_to(inside) or not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise StorageError(_REFUSED, f"{shown} was replaced while it was read")
    return file


def _sizes(folder: Path, shown: str, limits: Limits) -> tuple[dict[str, int], int]:
    """Return the relative names and sizes in bytes of all regular files, and the number of links that are not followed."""
    found, links = {}, 0
    for entries, (name, path) in enumerate(_walk(folder), start=1):
        if entries > limits.max_files:
            raise StorageError(_REFUSED, f"{shown} contains more than {limits.max_files} files")
        if path.is_file() and path.resolve().is_relative_to(folder):
            found[name] = path.stat().st_size
        elif path.is_symlink() and not names.is_junk(name):
            links += 1
    return found, links


def _walk(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield the files, and the links to folders, which are not entered: their files may lie anywhere, and links may form a circle."""

    def fail(error: OSError) -> None:
        raise error

    for root, folders, files in os.walk(folder, onerror=fail):
        folders[:] = sorted(one for one in folders if not one.startswith("."))
        linked = [name for name in folders if (Path(root) / name).is_symlink()]
        for name in sorted([*files, *linked]):
            path = Path(root) / name
            yield path.relative_to(folder).as_posix(), path
