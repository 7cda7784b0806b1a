"""Worker's side of inputs in object storage: has a process fetch the photos, and links them into one flat folder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from reconstruction_operator import disk
from reconstruction_operator.transfer import digests, names, unpack_process
from reconstruction_operator.transfer.fetched import Fetched
from reconstruction_operator.transfer.limits import Limits, Tick, section
from reconstruction_operator.transfer.objects import process
from reconstruction_operator.transfer.objects.address import ObjectAddress, permitted
from reconstruction_operator.transfer.objects.process import FetchRequest
from reconstruction_operator.units import megabytes

_FETCH_SHARE = 0.8  # share of the progress for fetching an archive; the rest is for unpacking


def take(uri: str, into: Path, kept: Path, limits: Limits, tick: Tick) -> Fetched:
    """Fetch the photos of a folder or an archive. Objects that an earlier attempt has fetched into `kept` are reused.

    Nothing is fetched if `limits.known` contains the digest of the listing.

    Raises StorageError: INPUT_NOT_FOUND, INPUT_REFUSED or INPUT_UNREACHABLE; OSError for the disk.
    """
    request = request_for(uri, kept, limits)
    address = request.address
    kept.mkdir(exist_ok=True)
    share = section(tick, 0.0, _FETCH_SHARE if address.is_archive else 1.0)

    def report(objects: int, of_objects: int, count: int, of_count: int) -> None:
        share(count / max(1, of_count), _text(address, objects, of_objects, count, of_count))

    outcome = process.perform(request, report)
    digest, ignored = str(outcome["digest"]), names.Ignored(*outcome["ignored"])
    if digests.is_known(digest, limits.known):
        return Fetched((), ignored, digest)
    fetched: list[tuple[str, str]] = outcome["fetched"]  # the name below the address, and the file in `kept`
    if address.is_archive:
        with (kept / fetched[0][1]).open("rb") as archive:
            unpacked = unpack_process.unpack(archive, str(address), into, limits, section(tick, _FETCH_SHARE, 1.0))
            return replace(unpacked, digest=digest)
    flat = names.flattened([name for name, _ in fetched])
    for (_, file), name in zip(fetched, flat, strict=True):
        disk.link(kept / file, into / name)
    return Fetched(tuple(into / name for name in flat), ignored, digest)


def request_for(uri: str, kept: Path, limits: Limits) -> FetchRequest:
    """Return the request of an input that the job may read. Raises StorageError: INPUT_REFUSED."""
    address = permitted(
        uri, "INPUT_REFUSED", "read", schemes=limits.schemes, granted=limits.granted, namespace=limits.namespace
    )
    known = tuple(entry.digest for entry in limits.known)
    return FetchRequest(address, kept, limits.max_bytes, limits.max_files, known)


def _text(address: ObjectAddress, objects: int, of_objects: int, count: int, of_count: int) -> str:
    if not of_objects:
        return f"listing {address}"
    amount = f"{megabytes(count).removesuffix(' MB')} of {megabytes(of_count)}"
    return f"{amount} fetched" if address.is_archive else f"{objects}/{of_objects} photos, {amount}"
