"""Input digests: identify a job's photos, so that a job with the photos of an existing result can reuse that result."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import BinaryIO, Final

from reconstruction_operator.contract.fingerprint import InputFile, KnownInput, input_digest
from reconstruction_operator.transfer.limits import Tick

# Digest of each photo, under its flat name: the same for a folder, an archive and a download of the same photos
SHA256: Final = "sha256"
ETAG: Final = "etag"  # ETag of each object, or the time of its last change: known before the first byte is read
_CHUNK_BYTES: Final = 1 << 20


def of_photos(photos: Collection[Path], tick: Tick) -> str:
    """Return the digest of photos in one flat folder; `tick` may raise."""
    done = 0

    def described() -> Iterable[InputFile]:
        nonlocal done
        for path in photos:
            fraction = done / len(photos)
            with path.open("rb") as file:
                yield describe(path.name, file, lambda at=fraction: tick(at, ""))  # type: ignore[misc]
            done += 1

    return input_digest(SHA256, described())


def describe(name: str, file: BinaryIO, tick: Callable[[], None]) -> InputFile:
    """Describe the photo that `file` contains. `tick` is called for each chunk and may raise."""
    digest, count = hashlib.sha256(), 0
    while chunk := file.read(_CHUNK_BYTES):
        digest.update(chunk)
        count += len(chunk)
        tick()
    return InputFile(name, count, digest.hexdigest())


def is_known(digest: str, known: Collection[KnownInput]) -> bool:
    """Return whether a known input has this digest."""
    return any(one.digest == digest for one in known)


def may_be_known(known: Collection[KnownInput], *, images: int, total_bytes: int) -> bool:
    """Return whether a known input has this number and size of photos.

    Otherwise its digest is unknown, and computing it before the copy would be wasted.
    """
    return any(
        one.digest.startswith(f"{SHA256}:") and (one.images, one.bytes) == (images, total_bytes) for one in known
    )
