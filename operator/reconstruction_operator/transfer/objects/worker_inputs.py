"""Worker's side of inputs in object storage: has a process fetch the photos, and links them into one flat folder."""

from __future__ import annotations

import errno
import os
import shutil
from dataclasses import replace
from pathlib import Path

from reconstruction_operator.transfer import digests, names, unpack_process
from reconstruction_operator.transfer.fetched import Fetched
from reconstruction_operator.transfer.limits import Limits, Tick, section
from reconstruction_operator.transfer.objects import process, request
from reconstruction_operator.transfer.objects.address import ObjectAddress, permitted
from reconstruction_operator.transfer.objects.request import Connection, FetchRequest
from reconstruction_operator.units import megabytes

_NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)  # errors of file systems without hard links
_FETCH_SHARE = 0.8  # share of the progress for fetching an archive; the rest is for unpacking


def take(uri: str, into: Path, kept: Path, limits: Limits, tick: Tick) -> Fetched:
    """Fetch the photos of a folder or an archive. Objects that an earlier attempt has fetched into `kept` are reused.

    Nothing is fetched if `limits.known` contains the digest of the listing.

    Raises StorageError: INPUT_NOT_FOUND, INPUT_REFUSED or INPUT_UNREACHABLE; OSError for the disk.
    """
    address = permitted(
        uri, "INPUT_REFUSED", "read", schemes=limits.schemes, granted=limits.granted, namespace=limits.namespace
    )
    kept.mkdir(exist_ok=True)
    wanted = FetchRequest(
        address,
        kept,
        limits.max_bytes,
        limits.max_files,
        Connection.from_config(),
        known=tuple(one.digest for one in limits.known),
    )
    share = section(tick, 0.0, _FETCH_SHARE if address.is_archive else 1.0)

    def report(objects: int, of_objects: int, count: int, of_count: int) -> None:
        share(count / max(1, of_count), _text(address, objects, of_objects, count, of_count))

    outcome = process.perform(wanted, report)
    digest, ignored = str(outcome["digest"]), names.Ignored(*outcome["ignored"])
    if digests.is_known(digest, limits.known):
        return Fetched((), ignored, digest)
    found = [request.FetchedObject(*one) for one in outcome["fetched"]]
    if address.is_archive:
        with (kept / found[0].file).open("rb") as file:
            unpacked = unpack_process.unpack(file, str(address), into, limits, section(tick, _FETCH_SHARE, 1.0))
            return replace(unpacked, digest=digest)
    flat = names.flattened([one.name for one in found])
    for one, name in zip(found, flat, strict=True):
        _link(kept / one.file, into / name)
    return Fetched(tuple(into / name for name in flat), ignored, digest)


def _text(address: ObjectAddress, objects: int, of_objects: int, count: int, of_count: int) -> str:
    if not of_objects:
        return f"listing {address}"
    amount = f"{megabytes(count).removesuffix(' MB')} of {megabytes(of_count)}"
    return f"{amount} fetched" if address.is_archive else f"{objects}/{of_objects} photos, {amount}"


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        shutil.copyfile(source, target)
