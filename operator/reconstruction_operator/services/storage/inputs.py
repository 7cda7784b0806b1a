"""Photos from wherever a job says they are, into one flat folder of the attempt."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from reconstruction_operator.services.storage import archives, downloads, names, tenancy, uris
from reconstruction_operator.services.storage.errors import StorageError
from reconstruction_operator.services.storage.limits import Limits, Tick

_CHUNK_BYTES = 1 << 20
_REFUSED = "INPUT_REFUSED"
_DOWNLOAD_SHARE = 0.8  # of fetching; the rest is for unpacking


@dataclass(frozen=True, slots=True)
class Fetched:
    """The photos, by their names in natural order; `ignored_text` says what else was there."""

    photos: tuple[Path, ...]
    ignored_text: str


def fetch(uri: str, into: Path, limits: Limits, tick: Tick) -> Fetched:
    """The photos of a `file://` folder or archive, or of an `https://` archive.

    Raises:
        StorageError: INPUT_NOT_FOUND, INPUT_REFUSED or INPUT_UNREACHABLE.

    """
    if not uri:
        raise StorageError("INPUT_NOT_FOUND", "the job names no input (spec.input.uri)")
    parts = uris.split(uri, _REFUSED)
    match parts.scheme:
        case "file":
            return _take_local(limits.located(uris.local_path(parts, _REFUSED)), into, limits, tick)
        case "https":
            archive = into.with_name("download")

            def downloading(fraction: float, message: str) -> None:
                tick(_DOWNLOAD_SHARE * fraction, message)

            def unpacking(fraction: float, message: str) -> None:
                tick(_DOWNLOAD_SHARE + (1 - _DOWNLOAD_SHARE) * fraction, message)

            downloads.download(uri, archive, limits, downloading)
            fetched = _unpack(archive, uris.redacted(uri), into, limits, unpacking)
            archive.unlink()
            return fetched
        case scheme:
            raise StorageError(_REFUSED, f"{scheme}:// is not read by this worker; it takes file:// and https://")


def take_folder(folder: Path, into: Path, limits: Limits, tick: Tick) -> Fetched:
    """Copies of the photos in `folder` and below it. Links are followed as far as they stay inside.

    Raises:
        StorageError: INPUT_NOT_FOUND or INPUT_REFUSED.

    """
    if not folder.is_dir():
        raise StorageError("INPUT_NOT_FOUND", f"there is no folder {folder} on this worker")
    try:
        found = _list(folder, limits)
    except PermissionError as error:
        raise StorageError("INPUT_NOT_FOUND", f"this worker may not read {error.filename}") from None
    photos = sorted((name for name in found if names.is_photo(name)), key=names.natural)
    total = sum(found[name] for name in photos)
    if total > limits.max_bytes:
        raise StorageError(
            _REFUSED, f"{len(photos)} photos in {folder} have {_mb(total)}; this worker takes {_mb(limits.max_bytes)}"
        )
    done, result = 0, []
    for index, (name, flat) in enumerate(zip(photos, names.flattened(photos), strict=True), start=1):
        tick(done / max(1, total), f"photo {index}/{len(photos)}")
        try:
            left_bytes = limits.max_bytes - done
            done += _copy(folder / name, into / flat, left_bytes, tick, done / max(1, total), inside=folder)
        except (FileNotFoundError, PermissionError) as error:
            if error.filename not in (folder / name, str(folder / name)):
                raise
            raise StorageError(
                "INPUT_NOT_FOUND", f"photo {name} in {folder} cannot be read: {error.strerror}"
            ) from None
        result.append(into / flat)
    return Fetched(tuple(result), names.ignored_text(name for name in found if not names.is_photo(name)))


def _take_local(path: Path, into: Path, limits: Limits, tick: Tick) -> Fetched:
    real = uris.resolved(path, _REFUSED)
    # Neither in the job folders nor around them: other jobs' photos and meshes lie there.
    other_jobs = uris.lies_below(path, (limits.jobs_dir,)) or uris.lies_below(limits.jobs_dir, (path,))
    if not uris.lies_below(path, limits.roots) or other_jobs:
        roots = ", ".join(str(root) for root in limits.roots)
        raise StorageError(_REFUSED, f"{path} does not lie in a folder that this worker may read ({roots})")
    if limits.granted is not None and not uris.lies_below(
        path, tuple(limits.located(one) for one in tenancy.folders(limits.granted))
    ):
        raise StorageError(
            _REFUSED, f"namespace {limits.namespace or '(none)'} may not read {path}: {_allowed(limits.granted)}"
        )
    if real.is_file():
        return _unpack(real, str(path), into, limits, tick)
    if not real.exists():
        raise StorageError("INPUT_NOT_FOUND", f"there is no {path} on this worker")
    return take_folder(real, into, limits, tick)


def _allowed(granted: tuple[str, ...]) -> str:
    return f"this worker leaves it {', '.join(granted)}" if granted else "this worker leaves it nothing"


def _unpack(archive: Path, shown: str, into: Path, limits: Limits, tick: Tick) -> Fetched:
    found = archives.unpack(archive, shown, into, limits, tick)
    photos = sorted(found.photos, key=names.natural)
    result = []
    for name, flat in zip(photos, names.flattened(photos), strict=True):
        result.append(found.photos[name].rename(into / flat))
    return Fetched(tuple(result), names.ignored_text(found.ignored))


def _list(folder: Path, limits: Limits) -> dict[str, int]:
    """Relative names and sizes of all regular files."""
    found = {}
    for entries, (name, path) in enumerate(_walk(folder), start=1):
        if entries > limits.max_files:
            raise StorageError(_REFUSED, f"{folder} holds more than {limits.max_files} files")
        if path.is_file() and path.resolve().is_relative_to(folder.resolve()):
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


def _copy(source: Path, target: Path, left_bytes: int, tick: Tick, fraction: float, *, inside: Path) -> int:
    """Bytes copied; it may have grown since it was listed."""
    copied = 0
    # What is opened is what was meant: somebody may have put a link, or a pipe, in its place since it was listed.
    descriptor = os.open(source, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as reader, target.open("xb") as writer:
        opened = Path(f"/proc/self/fd/{descriptor}").readlink()
        if not opened.is_relative_to(inside.resolve()) or not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise StorageError(_REFUSED, f"{source} was exchanged while it was read")
        while chunk := reader.read(_CHUNK_BYTES):
            copied += len(chunk)
            if copied > left_bytes:
                raise StorageError(_REFUSED, f"{source} grew beyond what this worker takes while it was read")
            writer.write(chunk)
            tick(fraction, "")
    return copied


def _mb(count: int) -> str:
    return f"{count / 1024**2:.0f} MB"
