"""Object download: fetches objects into a folder that outlives the attempt, so that a retry does not fetch them again.

Each file is written under a temporary name, flushed and renamed, so that only complete files have their final names.
These depend on key, size and ETag.
"""

from __future__ import annotations

import errno
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from obstore.exceptions import BaseError, PreconditionError

from reconstruction_operator import config, disk
from reconstruction_operator.transfer.errors import StorageError
from reconstruction_operator.transfer.objects import failures
from reconstruction_operator.transfer.objects.concurrency import Progress
from reconstruction_operator.transfer.objects.listing import Listed, Listing, list_input
from reconstruction_operator.transfer.objects.requests import FetchRequest

if TYPE_CHECKING:
    from obstore import GetOptions

    from reconstruction_operator.transfer.objects.store import Store

SAMPLE_BYTES: Final = 1 << 16
_SAMPLES: Final = 8  # maximum number of objects in a sample
_CHUNK_BYTES: Final = 1 << 18
PARTIAL: Final = ".part"


def fetch(store: Store, request: FetchRequest, progress: Progress) -> Listing:
    """Fetch all listed objects that `request.kept` lacks; none if the digest of the listing is in `request.known`.

    Raises StorageError, or OSError for the disk.
    """
    with failures.translating(request.address, failures.INPUT):
        listing = list_input(store, request)
        if listing.digest in request.known:
            return listing
        missing = [photo for photo in listing.objects if not disk.has_files(request.kept, [(photo.file, photo.bytes)])]
        missing_bytes = sum(photo.bytes for photo in missing)
        left = disk.free_bytes(request.kept)
        if left is not None and missing_bytes > left:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(request.kept))
        progress.of_objects = len(listing.objects)
        progress.objects = len(listing.objects) - len(missing)
        progress.of_bytes, progress.bytes = listing.bytes, listing.bytes - missing_bytes
        token = uuid.uuid4().hex  # another run may still be writing partial files of its own

        def work(photo: Listed) -> None:
            _fetch(store, photo, request.kept / f"{photo.file}.{token}{PARTIAL}", request, progress)

        progress.in_parallel(work, missing, config.settings.STORAGE_TRANSFERS)
    return listing


def sample(store: Store, request: FetchRequest) -> tuple[Listing, list[tuple[Listed, bytes]]]:
    """List an input, and read the first bytes of a few of its objects. Raises StorageError."""
    with failures.translating(request.address, failures.INPUT):
        listing = list_input(store, request)
        samples = []
        for photo in listing.objects[:: -(-len(listing.objects) // _SAMPLES) or 1]:
            count = min(photo.bytes, SAMPLE_BYTES)
            samples.append((photo, bytes(store.get_range(photo.key, start=0, length=count)) if count else b""))
        return listing, samples


def _fetch(store: Store, photo: Listed, path: Path, request: FetchRequest, progress: Progress) -> None:
    """Fetch one object into the partial file. It is continued as long as each request gets a part of it."""
    received = 0
    with path.open("wb") as file:
        while received < photo.bytes:
            before = received
            try:
                for chunk in _get(store, photo, received, request):
                    progress.moved(len(chunk))
                    file.write(chunk)
                    received += len(chunk)
            except BaseError:
                if received == before or not photo.etag:
                    raise
    disk.sync(path)
    path.rename(request.kept / photo.file)
    progress.moved(0, objects=1)


def _get(store: Store, photo: Listed, start: int, request: FetchRequest) -> Iterator[bytes]:
    """Yield the content from `start` on. Raises StorageError if the object is not the one that was listed."""
    options: GetOptions = {"if_match": photo.etag} if photo.etag else {}
    if start:
        options["range"] = {"offset": start}
    try:
        answer = store.get(photo.key, options=options)
    except PreconditionError:
        raise _changed(photo, request) from None
    if photo.etag and _bare(answer.meta["e_tag"] or photo.etag) != _bare(photo.etag):  # a server without If-Match
        raise _changed(photo, request)
    left = photo.bytes - start
    for chunk in answer.stream(min_chunk_size=_CHUNK_BYTES):
        left -= len(chunk)
        if left < 0:
            break
        yield chunk
    if left:
        raise _changed(photo, request)


def _bare(etag: str) -> str:
    """Return the ETag without the quotes and prefix that servers and proxies add to some responses."""
    return etag.removeprefix("W/").strip('"')


def _changed(photo: Listed, request: FetchRequest) -> StorageError:
    text = f"{photo.name or photo.key} in {request.address} changed while it was read"
    return StorageError(failures.INPUT.unreachable, text)
