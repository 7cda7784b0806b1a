"""Object download: fetches objects into a folder that outlives the attempt, so that a retry does not fetch them again.

Each file is written under a temporary name, flushed and renamed, so that only complete files have their final names. These depend on
key, size and ETag.
"""

from __future__ import annotations

import errno
import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from obstore.exceptions import PreconditionError

from reconstruction_operator import disk
from reconstruction_operator.transfer import names
from reconstruction_operator.transfer.errors import StorageError
from reconstruction_operator.transfer.objects import failures
from reconstruction_operator.transfer.objects.concurrency import Clock, TransferPool, call
from reconstruction_operator.transfer.objects.listing import Listed, Listing, list_input
from reconstruction_operator.transfer.objects.request import FetchedObject, FetchRequest, OnProgress
from reconstruction_operator.transfer.objects.store import open_store

if TYPE_CHECKING:
    from obstore import GetOptions

    from reconstruction_operator.transfer.objects.store import Store

SAMPLE_BYTES = 1 << 16
_SAMPLES = 8  # maximum number of objects in a sample
_CHUNK_BYTES = 1 << 18
PARTIAL = ".part"


@dataclass(frozen=True, slots=True)
class Downloaded:
    """Fetched objects, with the ignored files and the digest of the listing."""

    fetched: list[FetchedObject]
    ignored: names.Ignored
    digest: str


def fetch(store: Store, request: FetchRequest, report: OnProgress) -> Downloaded:
    """Fetch all objects that `request.kept` lacks; none if the digest of the listing is in `request.known`.

    Raises StorageError, or OSError for the disk.
    """
    clock = Clock(request.connection.stall_seconds)
    with failures.translating(request.address, failures.INPUT):
        listing = call(lambda: list_input(store, request, clock.moved), clock, lambda: report(0, 0, 0, 0))
        ignored = names.ignored(listing.ignored)
        if listing.digest in request.known:
            return Downloaded([], ignored, listing.digest)
        wanted = [one for one in listing.objects if not _is_there(request.kept / one.file, one)]
        kept_objects = len(listing.objects) - len(wanted)
        kept_bytes = listing.bytes - sum(one.bytes for one in wanted)
        _check_space(request.kept, sum(one.bytes for one in wanted))

        def tick() -> None:
            done = min(listing.bytes, kept_bytes + clock.bytes)
            report(kept_objects + clock.objects, len(listing.objects), done, listing.bytes)

        token = uuid.uuid4().hex  # another run may still be writing partial files of its own

        def work(one: Listed) -> None:
            _fetch(store, one, request.kept / f"{one.file}.{token}{PARTIAL}", request, pool)

        pool: TransferPool[Listed] = TransferPool(work, clock, request.connection.at_once)
        pool.run(wanted, tick)
        tick()
    found = [FetchedObject(one.name or one.key.rpartition("/")[2], one.file, one.bytes) for one in listing.objects]
    return Downloaded(found, ignored, listing.digest)


def sample(request: FetchRequest) -> tuple[Listing, list[tuple[Listed, bytes]]]:
    """List an input, and read the first bytes of a few of its objects. Raises StorageError.

    It waits for the server in this process, which the caller can kill.
    """
    store = open_store(request.address, request.connection.stall_seconds, request.connection.ca_file)
    with failures.translating(request.address, failures.INPUT):
        listing = list_input(store, request, lambda: None)
        samples = []
        for one in listing.objects[:: -(-len(listing.objects) // _SAMPLES) or 1]:
            count = min(one.bytes, SAMPLE_BYTES)
            samples.append((one, bytes(store.get_range(one.key, start=0, length=count)) if count else b""))
        return listing, samples


def _is_there(path: Path, one: Listed) -> bool:
    try:
        return path.stat().st_size == one.bytes
    except FileNotFoundError:
        return False


def _check_space(folder: Path, wanted: int) -> None:
    left = disk.free_bytes(folder)
    if left is not None and wanted > left:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))


def _fetch(store: Store, one: Listed, partial: Path, request: FetchRequest, pool: TransferPool[Listed]) -> None:
    """Fetch one object. A retry continues the partial file of the same process."""
    with partial.open("ab") as file:
        if not one.etag:  # the partial file may be of another version
            file.truncate(0)
        received = file.seek(0, os.SEEK_END)
        options: GetOptions = {"if_match": one.etag} if one.etag else {}
        if received:
            options["range"] = {"offset": received}
        if received < one.bytes or not one.bytes:
            for chunk in _get(store, one, options, request):
                pool.moved(len(chunk))
                received += len(chunk)
                if received > one.bytes:
                    raise _changed(one, request)
                file.write(chunk)
        if received != one.bytes:
            raise _changed(one, request)
        with pool.clock.waiting_for_disk():
            file.flush()
            os.fsync(file.fileno())
    partial.rename(request.kept / one.file)


def _get(store: Store, one: Listed, options: GetOptions, request: FetchRequest) -> Iterator[bytes]:
    try:
        found = store.get(one.key, options=options)
    except PreconditionError:
        raise _changed(one, request) from None
    if one.etag and _bare(found.meta["e_tag"] or one.etag) != _bare(one.etag):  # a server without If-Match
        raise _changed(one, request)
    yield from found.stream(min_chunk_size=_CHUNK_BYTES)


def _bare(etag: str) -> str:
    """Return the ETag without the quotes and prefix that servers and proxies add to some responses."""
    return etag.removeprefix("W/").strip('"')


def _changed(one: Listed, request: FetchRequest) -> StorageError:
    text = f"{one.name or one.key} in {request.address} changed while it was read"
    return StorageError(failures.INPUT.unreachable, text)
