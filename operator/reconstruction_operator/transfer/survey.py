"""Input survey: checks an input without copying it, to report early why a job would fail after hours in a queue.

A folder or archive on the worker's disks is read as loading reads it, but only the headers of photos. Of object
storage, the listing and the first bytes of a few photos are read; of an archive on a server, only its first bytes.
"""

from __future__ import annotations

import os
import ssl
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from reconstruction_operator.readers import OBJECT_SCHEMES
from reconstruction_operator.transfer import fetch, local, names, unpacker, uris
from reconstruction_operator.transfer.errors import StorageError
from reconstruction_operator.transfer.https import addresses, download
from reconstruction_operator.transfer.limits import Limits
from reconstruction_operator.transfer.names import Ignored
from reconstruction_operator.transfer.objects import downloading
from reconstruction_operator.transfer.objects.process import request_for
from reconstruction_operator.transfer.objects.store import open_store
from reconstruction_operator.transfer.photos import checks, masks, process
from reconstruction_operator.units import counted, megabytes

_REFUSED: Final = "INPUT_REFUSED"
_START_BYTES: Final = 1 << 16  # read of each photo in an archive


@dataclass(frozen=True, slots=True)
class Survey:
    """The contents of an input, as far as they are known without reading all of it."""

    count: int | None  # of photos; None: known only when the archive is unpacked, or the video decoded
    bytes: int | None
    ignored: Ignored = field(default_factory=Ignored)

    def __str__(self) -> str:
        """Return the text for messages: "12 photos, 34 MB"."""
        size = "" if self.bytes is None else megabytes(self.bytes)
        if self.count is None:
            return f"an archive or a video of {size}" if size else "an archive"
        return ", ".join(filter(None, (counted(self.count, "photo"), size, self.ignored.text)))


def survey(
    uri: str, limits: Limits, *, resolve: addresses.Resolve = addresses.resolve, tls: ssl.SSLContext | None = None
) -> Survey:
    """Check the input. Raises StorageError as `fetch.fetch` and `checks.check_all`."""
    parts = uris.split(uri, _REFUSED)
    label = uris.redacted(uri)
    match parts.scheme:
        case "file":
            real = local.permitted(uris.local_path(parts, _REFUSED), label, limits)
            return _archive(real, label, limits) if real.is_file() else _folder(real, label, limits)
        case "https":
            size, head = download.probe(uri, limits, resolve=resolve, tls=tls)
            return _remote_archive(head, size, label)
        case scheme if scheme in OBJECT_SCHEMES:
            return _objects(uri, limits)
        case scheme:
            raise fetch.unknown_scheme(scheme, limits)


def _folder(folder: Path, label: str, limits: Limits) -> Survey:
    listed = local.list_folder(folder, label, limits)
    if any(map(names.is_video, listed.photos)):
        return Survey(None, listed.bytes, listed.ignored)
    for index, name in enumerate(listed.photos, start=1):
        with listed.open(name) as file:
            checks.check_header(file, f"{_label(name)} ({index} of {len(listed.photos)})", limits)
    return Survey(masks.count_photos(listed.photos), listed.bytes, listed.ignored)


def _archive(real: Path, label: str, limits: Limits) -> Survey:
    photos = set[str]()
    others = list[str]()
    until = time.monotonic() + limits.survey_seconds
    with local.open_archive(real, label) as file:
        size = os.fstat(file.fileno()).st_size
        try:
            with unpacker.translating_damage():
                for entry in unpacker.files(file, unpacker.Budget(limits.max_bytes, limits.max_files)):
                    if names.is_video(entry.name) or time.monotonic() > until:
                        return Survey(None, size)
                    if not names.is_photo(entry.name) or entry.name in photos:
                        others.append(entry.name)
                        continue
                    photos.add(entry.name)
                    with entry.open() as photo:
                        start = photo.read(_START_BYTES + 1)
                    is_whole = len(start) <= _START_BYTES
                    checks.check_start(start[:_START_BYTES], _label(entry.name), limits, is_whole=is_whole)
        except unpacker.RefusedError as error:
            raise StorageError(_REFUSED, f"{label} {error}") from None
    return Survey(masks.count_photos(photos), size, names.ignored(others))


def _objects(uri: str, limits: Limits) -> Survey:
    request = request_for(uri, Path(os.devnull), limits)
    place = request.address
    # It waits for the server in this process, which the worker can kill.
    listing, samples = downloading.sample(open_store(place), request)
    if place.is_archive:
        return _remote_archive(samples[0][1], listing.bytes, str(place))
    if any(names.is_video(photo.name) for photo in listing.objects):
        return Survey(None, listing.bytes)
    process.check_starts([(start, _label(photo.name), len(start) == photo.bytes) for photo, start in samples], limits)
    count = masks.count_photos(photo.name for photo in listing.objects)
    return Survey(count, listing.bytes, names.ignored(listing.ignored))


def _remote_archive(head: bytes, size: int | None, label: str) -> Survey:
    try:
        unpacker.kind_of(head)
    except unpacker.RefusedError as error:
        raise StorageError(_REFUSED, f"{label} {error}") from None
    return Survey(None, size)


def _label(name: str) -> str:
    return f"photo {names.printable(name)}"
