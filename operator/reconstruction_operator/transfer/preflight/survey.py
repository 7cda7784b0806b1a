"""Input survey: checks an input without copying it, before the job reaches a worker.

The photos of a folder are checked by their headers, an archive by its directory, objects by their listing. In archives and object storage,
some photos are also checked by their first bytes.
"""

from __future__ import annotations

import os
import ssl
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final

from reconstruction_operator.readers import OBJECT_SCHEMES
from reconstruction_operator.transfer import fetch, local, names, uris
from reconstruction_operator.transfer.errors import StorageError
from reconstruction_operator.transfer.https import addresses, download
from reconstruction_operator.transfer.limits import Limits
from reconstruction_operator.transfer.names import Ignored
from reconstruction_operator.transfer.objects import worker_inputs
from reconstruction_operator.transfer.photos import checks, masks
from reconstruction_operator.transfer.preflight.peek import MOST_BLOCKS, Peeked, ReadAt, peek
from reconstruction_operator.transfer.unpacker import ARCHIVE_KINDS
from reconstruction_operator.units import megabytes

_REFUSED: Final = "INPUT_REFUSED"
_HEAD_BYTES: Final = 512


@dataclass(frozen=True, slots=True)
class Survey:
    """The contents of an input, as far as they are known without reading all of it."""

    count: int | None  # of photos; None: an archive whose photos are counted only when it is unpacked
    bytes: int | None
    ignored: Ignored = field(default_factory=Ignored)

    def __str__(self) -> str:
        """Return the text for messages: "12 photos, 34 MB"."""
        size = "" if self.bytes is None else megabytes(self.bytes)
        if self.count is None:
            return f"an archive of {size}" if size else "an archive"
        return ", ".join(filter(None, (f"{self.count} photos", size, self.ignored.text)))


def survey(
    uri: str, limits: Limits, *, resolve: addresses.Resolve = addresses.resolve, tls: ssl.SSLContext | None = None
) -> Survey:
    """Check the input. Raises StorageError as `fetch.fetch` and `checks.check_all`."""
    parts = uris.split(uri, _REFUSED)
    match parts.scheme:
        case "file":
            shown = uris.redacted(uri)
            real = local.permitted(uris.local_path(parts, _REFUSED), shown, limits)
            return _archive(real, shown, limits) if real.is_file() else _folder(real, shown, limits)
        case "https":
            size, head, read_at = download.probe(uri, limits, resolve=resolve, tls=tls)
            _check_head(head, uris.redacted(uri))
            if size is None or read_at is None:
                return Survey(None, size)
            return _peeked(size, read_at, uris.redacted(uri), limits)
        case scheme if scheme in OBJECT_SCHEMES:
            peeked, size = worker_inputs.survey(uri, limits)
            return _checked(peeked, size, limits)
        case scheme:
            raise fetch.unknown_scheme(scheme, limits)


def _folder(folder: Path, shown: str, limits: Limits) -> Survey:
    found = local.list_folder(folder, shown, limits)
    for index, name in enumerate(found.photos, start=1):
        its = names.printable(name)
        try:
            with local.opened(folder / name, f"{shown.rstrip('/')}/{its}", inside=folder) as file:
                checks.check_header(file, f"photo {its} ({index} of {len(found.photos)})", limits)
        except (FileNotFoundError, PermissionError) as error:
            raise local.unreadable(name, shown, error) from None
    return Survey(masks.count_photos(found.photos), found.bytes, found.ignored)


def _archive(real: Path, shown: str, limits: Limits) -> Survey:
    with local.open_archive(real, shown) as file:
        size = file.seek(0, 2)
        file.seek(0)
        _check_head(file.read(_HEAD_BYTES), shown)
        if size > limits.max_bytes:
            raise StorageError(
                _REFUSED, f"{shown} has {megabytes(size)}; this worker accepts at most {megabytes(limits.max_bytes)}"
            )
        _check_end(file, shown)
        return _peeked(
            size, lambda place, count: os.pread(file.fileno(), count, place), shown, limits, most_blocks=None
        )


def _peeked(size: int, read_at: ReadAt, shown: str, limits: Limits, *, most_blocks: int | None = MOST_BLOCKS) -> Survey:
    peeked = peek(size, read_at, shown, max_bytes=limits.max_bytes, max_files=limits.max_files, most_blocks=most_blocks)
    return _checked(peeked, size, limits)


def _checked(peeked: Peeked, size: int, limits: Limits) -> Survey:
    for one in peeked.samples:
        name = names.printable(one.name)
        place = "" if peeked.count is None else f" ({one.index} of {peeked.count})"
        checks.check_start(one.start, f"photo {name}{place}", limits, is_whole=one.is_whole)
    return Survey(peeked.count, size, peeked.ignored)


def _check_head(head: bytes, shown: str) -> None:
    is_tar = head[257:262] == b"ustar"
    if not (is_tar or head.startswith((b"PK\x03\x04", b"PK\x05\x06", b"\x1f\x8b"))):
        text = f"{shown} is neither a folder nor an archive of a kind that this worker reads ({ARCHIVE_KINDS})"
        raise StorageError(_REFUSED, text)


def _check_end(file: BinaryIO, shown: str) -> None:
    """Raise StorageError for a .zip without the directory at its end. Other formats must be read in full to show that."""
    file.seek(0)
    if file.read(2) == b"PK" and not zipfile.is_zipfile(file):
        raise StorageError(_REFUSED, f"{shown} is damaged: its end is missing")
