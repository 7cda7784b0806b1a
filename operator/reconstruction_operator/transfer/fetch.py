"""Fetching: copies the photos of a job's input (folder, archive or download) into one flat folder."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO

from reconstruction_operator.readers import OBJECT_SCHEMES
from reconstruction_operator.transfer import archive as archives
from reconstruction_operator.transfer import download, names, tenancy, uris
from reconstruction_operator.transfer.archive import Fetched
from reconstruction_operator.transfer.errors import StorageError
from reconstruction_operator.transfer.limits import Limits, Tick, section
from reconstruction_operator.transfer.objects import inputs
from reconstruction_operator.units import megabytes

_CHUNK_BYTES = 1 << 20
_REFUSED = "INPUT_REFUSED"
_DOWNLOAD_SHARE = 0.8  # of fetching; the rest is for unpacking


def fetch(uri: str, into: Path, limits: Limits, tick: Tick) -> Fetched:
    """The photos of a `file://` folder or archive, of an `https://` archive, or of a folder or archive in object storage.

    Raises StorageError: INPUT_NOT_FOUND, INPUT_REFUSED or INPUT_UNREACHABLE.
    """
    if not uri:
        raise StorageError("INPUT_NOT_FOUND", "the job names no input (spec.input.uri)")
    parts = uris.split(uri, _REFUSED)
    match parts.scheme:
        case "file":
            return _take_local(uris.local_path(parts, _REFUSED), uris.redacted(uri), into, limits, tick)
        case "https":
            archive = into.with_name("download")
            download.download(uri, archive, limits, section(tick, 0.0, _DOWNLOAD_SHARE))
            unpacking = section(tick, _DOWNLOAD_SHARE, 1.0)
            with archive.open("rb") as file:
                fetched = archives.unpack(file, uris.redacted(uri), into, limits, unpacking)
            archive.unlink()
            return fetched
        case scheme if scheme in OBJECT_SCHEMES:
            return inputs.take(uri, into, limits, tick)
        case scheme:
            kinds = ", ".join(f"{one}://" for one in ("file", "https", *limits.schemes))
            raise StorageError(_REFUSED, f"{scheme}:// is not read by this worker; it takes {kinds}")


def take_folder(folder: Path, into: Path, limits: Limits, tick: Tick) -> Fetched:
    """Copies the photos in `folder` and below it. Follows links that stay inside the folder.

    Raises StorageError: INPUT_NOT_FOUND or INPUT_REFUSED.
    """
    return _take_folder(folder.resolve(), str(folder), into, limits, tick)


def _take_folder(folder: Path, shown: str, into: Path, limits: Limits, tick: Tick) -> Fetched:
    """As `take_folder`, but resolves no links again: `folder` may have been checked, and may be a link by now (TOCTOU).

    Messages call it `shown`, as the job's author wrote it: where it lies on this worker concerns no user.
    """
    if not folder.is_dir():
        raise StorageError("INPUT_NOT_FOUND", f"there is no folder {shown} on this worker")
    try:
        found = _list(folder, shown, limits)
    except PermissionError as error:
        below = Path(str(error.filename)).relative_to(folder).as_posix()
        what = shown if below == "." else f"{below} in {shown}"
        raise StorageError("INPUT_NOT_FOUND", f"this worker may not read {what}") from None
    photos = sorted((name for name in found if names.is_photo(name)), key=names.natural)
    total = sum(found[name] for name in photos)
    if total > limits.max_bytes:
        raise StorageError(
            _REFUSED,
            f"{len(photos)} photos in {shown} have {megabytes(total)}; this worker takes {megabytes(limits.max_bytes)}",
        )
    done, result = 0, []
    for index, (name, flat) in enumerate(zip(photos, names.flattened(photos), strict=True), start=1):
        tick(done / max(1, total), f"photo {index}/{len(photos)}")
        try:
            left_bytes = limits.max_bytes - done
            again = partial(tick, done / max(1, total), "")
            photo = f"{shown.rstrip('/')}/{name}"
            done += _copy(folder / name, into / flat, left_bytes, again, shown=photo, inside=folder)
        except (FileNotFoundError, PermissionError) as error:
            if error.filename not in (folder / name, str(folder / name)):
                raise
            raise StorageError("INPUT_NOT_FOUND", f"photo {name} in {shown} cannot be read: {error.strerror}") from None
        result.append(into / flat)
    return Fetched(tuple(result), names.ignored_text(name for name in found if not names.is_photo(name)))


def _take_local(path: Path, shown: str, into: Path, limits: Limits, tick: Tick) -> Fetched:
    real = uris.resolved(
        limits.located(path), _REFUSED
    )  # only once: the path that is checked is the one that is read (TOCTOU)
    jobs = limits.jobs_dir.resolve()
    # The job folders hold the photos and meshes of other jobs.
    overlaps_jobs = real.is_relative_to(jobs) or jobs.is_relative_to(real)
    if not uris.lies_below(real, limits.roots) or overlaps_jobs:
        roots = ", ".join(limits.named_roots)
        raise StorageError(_REFUSED, f"{shown} does not lie in a folder that this worker may read ({roots})")
    if limits.granted is not None and not uris.lies_below(real, map(limits.located, tenancy.folders(limits.granted))):
        left = ", ".join(limits.granted) or "nothing"
        raise StorageError(
            _REFUSED, f"namespace {limits.namespace or '(none)'} may not read {shown}: this worker leaves it {left}"
        )
    if real.is_file():
        try:
            archive = _opened(real, shown, inside=real)
        except (FileNotFoundError, PermissionError) as error:
            raise StorageError("INPUT_NOT_FOUND", f"archive {shown} cannot be read: {error.strerror}") from None
        with archive:
            return archives.unpack(archive, shown, into, limits, tick)
    if not real.exists():
        raise StorageError("INPUT_NOT_FOUND", f"there is no {shown} on this worker")
    return _take_folder(real, shown, into, limits, tick)


def _list(folder: Path, shown: str, limits: Limits) -> dict[str, int]:
    """Relative names and sizes in bytes of all regular files."""
    found = {}
    for entries, (name, path) in enumerate(_walk(folder), start=1):
        if entries > limits.max_files:
            raise StorageError(_REFUSED, f"{shown} holds more than {limits.max_files} files")
        if path.is_file() and path.resolve().is_relative_to(folder):
            found[name] = path.stat().st_size
    return found


def _walk(folder: Path) -> Iterator[tuple[str, Path]]:
    def fail(error: OSError) -> None:
        raise error

    for root, folders, files in os.walk(folder, onerror=fail):
        folders[:] = sorted(one for one in folders if not one.startswith("."))
        for name in sorted(files):
            path = Path(root) / name
            yield path.relative_to(folder).as_posix(), path


def _copy(source: Path, target: Path, left_bytes: int, tick: Callable[[], None], *, shown: str, inside: Path) -> int:
    """Copies the file and returns its bytes. It may have grown since it was listed."""
    copied = 0
    with _opened(source, shown, inside=inside) as reader, target.open("xb") as writer:
        while chunk := reader.read(_CHUNK_BYTES):
            copied += len(chunk)
            if copied > left_bytes:
                raise StorageError(_REFUSED, f"{shown} grew beyond what this worker takes while it was read")
            writer.write(chunk)
            tick()
    return copied


def _opened(source: Path, shown: str, *, inside: Path) -> BinaryIO:
    """Opens the regular file `source`, called `shown`, which is `inside` or lies below it; `inside` is resolved already.

    TOCTOU: a link or a pipe may have replaced the file, or a folder above it, since it was checked. So the check is repeated
    on the open file.
    """
    file = os.fdopen(os.open(source, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb")
    real = Path(f"/proc/self/fd/{file.fileno()}").readlink()
    if not real.is_relative_to(inside) or not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise StorageError(_REFUSED, f"{shown} was exchanged while it was read")
    return file
