"""Fetch: copies the photos of a job's input (folder, archive or download) into one flat folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from reconstruction_operator.contract.fingerprint import input_digest
from reconstruction_operator.readers import OBJECT_SCHEMES
from reconstruction_operator.transfer import digests, local, names, unpack_process, uris
from reconstruction_operator.transfer.errors import StorageError
from reconstruction_operator.transfer.https import download
from reconstruction_operator.transfer.limits import Limits, Tick, section
from reconstruction_operator.transfer.objects import worker_inputs
from reconstruction_operator.transfer.photos import masks
from reconstruction_operator.transfer.unpack_process import Fetched

_CHUNK_BYTES = 1 << 20
_REFUSED = "INPUT_REFUSED"
_DOWNLOAD_SHARE = 0.8  # share of the progress for the download; the rest is for unpacking


def fetch(uri: str, into: Path, kept: Path, limits: Limits, tick: Tick) -> Fetched:
    """Fetch the photos of a `file://` folder or archive, an `https://` archive, or a folder or archive in object storage.

    Objects are first fetched into the folder `kept`, which may outlive the attempt. An input that `limits.known` contains is not copied.

    Raises StorageError: INPUT_NOT_FOUND, INPUT_REFUSED or INPUT_UNREACHABLE.
    """
    if not uri:
        raise StorageError("INPUT_NOT_FOUND", "the job names no input (spec.input.uri)")
    parts = uris.split(uri, _REFUSED)
    match parts.scheme:
        case "file":
            return _take_local(uris.local_path(parts, _REFUSED), uris.redacted(uri), into, limits, tick)
        case "https":
            return _download(uri, into, limits, tick)
        case scheme if scheme in OBJECT_SCHEMES:
            return worker_inputs.take(uri, into, kept, limits, tick)
        case scheme:
            raise unknown_scheme(scheme, limits)


def _download(uri: str, into: Path, limits: Limits, tick: Tick) -> Fetched:
    archive = into.with_name("download")
    kept = next((one for one in limits.known if one.etag), None)
    etag = download.download(
        uri, archive, limits, section(tick, 0.0, _DOWNLOAD_SHARE), etag="" if kept is None else kept.etag
    )
    if etag is None and kept is not None:
        return Fetched((), names.Ignored(), kept.digest, kept.etag)
    with archive.open("rb") as file:
        fetched = unpack_process.unpack(file, uris.redacted(uri), into, limits, section(tick, _DOWNLOAD_SHARE, 1.0))
    archive.unlink()
    return replace(fetched, etag=etag or "")


def unknown_scheme(scheme: str, limits: Limits) -> StorageError:
    """Return the failure for an address whose scheme this worker does not read."""
    kinds = ", ".join(f"{one}://" for one in ("file", "https", *limits.schemes))
    return StorageError(_REFUSED, f"{scheme}:// is not read by this worker; it accepts {kinds}")


def take_folder(folder: Path, into: Path, limits: Limits, tick: Tick) -> Fetched:
    """Copy the photos in `folder` and below it. Links that stay inside the folder are followed.

    Raises StorageError: INPUT_NOT_FOUND or INPUT_REFUSED.
    """
    return _take_folder(folder.resolve(), str(folder), into, limits, tick)


def _take_folder(folder: Path, shown: str, into: Path, limits: Limits, tick: Tick) -> Fetched:
    """Copy as `take_folder`, without resolving links again: a tenant may have replaced the checked `folder` by a link (TOCTOU)."""
    found = local.list_folder(folder, shown, limits)
    flattened = names.flattened(found.photos)
    if digests.may_be_known(limits.known, images=masks.count_photos(found.photos), total_bytes=found.bytes):
        digest = _digest(folder, dict(zip(found.photos, flattened, strict=True)), shown, tick)
        if digests.is_known(digest, limits.known):
            return Fetched((), found.ignored, digest)
    total, done, result = found.bytes, 0, []
    for index, (name, flat) in enumerate(zip(found.photos, flattened, strict=True), start=1):
        tick(done / max(1, total), f"photo {index}/{len(found.photos)}")
        try:
            left_bytes = limits.max_bytes - done
            again = partial(tick, done / max(1, total), "")
            photo = f"{shown.rstrip('/')}/{names.printable(name)}"
            done += _copy(folder / name, into / flat, left_bytes, again, shown=photo, inside=folder)
        except (FileNotFoundError, PermissionError) as error:
            if error.filename not in (folder / name, str(folder / name)):
                raise
            raise local.unreadable(name, shown, error) from None
        result.append(into / flat)
    return Fetched(tuple(result), found.ignored)


def _digest(folder: Path, photos: dict[str, str], shown: str, tick: Tick) -> str:
    """Return the digest of photos in their original folder (name -> flat name); empty if one cannot be read."""
    described = []
    for index, (name, flat) in enumerate(photos.items(), start=1):
        place, text = (index - 1) / len(photos), f"comparing photo {index}/{len(photos)}"
        try:
            with local.opened(folder / name, f"{shown.rstrip('/')}/{names.printable(name)}", inside=folder) as file:
                described.append(digests.describe(flat, file, partial(tick, place, text)))
        except (FileNotFoundError, PermissionError):  # the copy will report the error
            return ""
    return input_digest(digests.SHA256, described)


def _take_local(path: Path, shown: str, into: Path, limits: Limits, tick: Tick) -> Fetched:
    real = local.permitted(path, shown, limits)
    if real.is_file():
        with local.open_archive(real, shown) as archive:
            return unpack_process.unpack(archive, shown, into, limits, tick)
    return _take_folder(real, shown, into, limits, tick)


def _copy(source: Path, target: Path, left_bytes: int, tick: Callable[[], None], *, shown: str, inside: Path) -> int:
    """Copy the file and return its size in bytes. It may have grown since it was listed."""
    copied = 0
    with local.opened(source, shown, inside=inside) as reader, target.open("xb") as writer:
        while chunk := reader.read(_CHUNK_BYTES):
            copied += len(chunk)
            if copied > left_bytes:
                raise StorageError(_REFUSED, f"{shown} grew beyond the limit of this worker while it was read")
            writer.write(chunk)
            tick()
    return copied
