"""Fetch: copies the photos of a job's input (folder, archive or download) into one flat folder."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

from reconstruction_operator.readers import OBJECT_SCHEMES
from reconstruction_operator.transfer import digests, local, names, unpack_process, uris
from reconstruction_operator.transfer.errors import StorageError
from reconstruction_operator.transfer.https import download
from reconstruction_operator.transfer.limits import Limits, Tick, section
from reconstruction_operator.transfer.names import Fetched
from reconstruction_operator.transfer.objects import process
from reconstruction_operator.transfer.photos import masks

_CHUNK_BYTES = 1 << 20
_REFUSED = "INPUT_REFUSED"
_DOWNLOAD_SHARE = 0.8  # share of the progress for the download; the rest is for unpacking


def fetch(uri: str, into: Path, kept: Path, limits: Limits, tick: Tick) -> Fetched:
    """Fetch the photos of a `file://` folder or archive, an `https://` archive, or a folder or archive in object
    storage.

    Objects are first fetched into the folder `kept`, which may outlive the attempt. An input that `limits.known`
    contains is not copied.

    Raises StorageError: INPUT_NOT_FOUND, INPUT_REFUSED or INPUT_UNREACHABLE.
    """
    if not uri:
        raise StorageError("INPUT_NOT_FOUND", "the job names no input (spec.input.uri)")
    parts = uris.split(uri, _REFUSED)
    match parts.scheme:
        case "file":
            label = uris.redacted(uri)
            real = local.permitted(uris.local_path(parts, _REFUSED), label, limits)
            if not real.is_file():
                return copy_folder(real, label, into, limits, tick)
            with local.open_archive(real, label) as archive:
                return unpack_process.unpack(archive, label, into, limits, tick)
        case "https":
            return _download(uri, into, limits, tick)
        case scheme if scheme in OBJECT_SCHEMES:
            return process.download(uri, into, kept, limits, tick)
        case scheme:
            raise unknown_scheme(scheme, limits)


def _download(uri: str, into: Path, limits: Limits, tick: Tick) -> Fetched:
    archive = into.with_name("download")
    entry = next((entry for entry in limits.known if entry.etag), None)
    etag = download.download(
        uri, archive, limits, section(tick, 0.0, _DOWNLOAD_SHARE), etag="" if entry is None else entry.etag
    )
    if etag is None and entry is not None:
        return Fetched((), names.Ignored(), entry.digest, entry.etag)
    with archive.open("rb") as file:
        fetched = unpack_process.unpack(file, uris.redacted(uri), into, limits, section(tick, _DOWNLOAD_SHARE, 1.0))
    archive.unlink()
    return replace(fetched, etag=etag or "")


def unknown_scheme(scheme: str, limits: Limits) -> StorageError:
    """Return the failure for an address whose scheme this worker does not read."""
    kinds = ", ".join(f"{name}://" for name in ("file", "https", *limits.schemes))
    return StorageError(_REFUSED, f"{scheme}:// is not read by this worker; it accepts {kinds}")


def copy_folder(folder: Path, label: str, into: Path, limits: Limits, tick: Tick) -> Fetched:
    """Copy the photos in the resolved `folder` (`label` in messages) and below it.

    Links that stay inside the folder are followed.

    The path is not resolved again: a tenant may have replaced the checked folder by a link (TOCTOU).

    Raises StorageError: INPUT_NOT_FOUND or INPUT_REFUSED.
    """
    listed = local.list_folder(folder, label, limits)
    copies = dict(zip(names.flattened(listed.photos), listed.photos, strict=True))
    if digests.may_be_known(limits.known, images=masks.count_photos(listed.photos), total_bytes=listed.bytes):
        digest = digests.of_photos({copy: partial(listed.open, photo) for copy, photo in copies.items()}, tick)
        if digests.is_known(digest, limits.known):
            return Fetched((), listed.ignored, digest)
    done = 0
    for index, (copy, photo) in enumerate(copies.items(), start=1):
        fraction = done / max(1, listed.bytes)
        tick(fraction, f"photo {index}/{len(copies)}")
        with listed.open(photo) as reader, (into / copy).open("xb") as writer:
            while chunk := reader.read(_CHUNK_BYTES):
                done += len(chunk)
                if done > limits.max_bytes:
                    name = names.printable(photo)
                    raise StorageError(_REFUSED, f"{name} in {label} grew beyond the limit of this worker")
                writer.write(chunk)
                tick(fraction, "")
    return Fetched(tuple(into / copy for copy in copies), listed.ignored)
