"""Input digests: identify a job's photos, so that a job with the photos of an existing result can reuse that result."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import BinaryIO, Final

from reconstruction_operator import disk
from reconstruction_operator.contract.fingerprint import InputFile, KnownInput, input_digest
from reconstruction_operator.transfer.limits import Tick

# Digest of each photo, under its flat name: the same for a folder, an archive and a download of the same photos
SHA256: Final = "sha256"
ETAG: Final = "etag"  # ETag of each object, or the time of its last change: known before the first byte is read


def of_photos(photos: Mapping[str, Callable[[], BinaryIO]], tick: Tick) -> str:
    """Return the digest of photos: by the name of each in one flat folder, a function that opens it.

    `tick` may raise.
    """
    files = []
    for index, (name, opened) in enumerate(photos.items()):
        report = partial(tick, index / len(photos), f"comparing photo {index + 1}/{len(photos)}")
        with opened() as file:
            digest = disk.digest(file, report)
            files.append(InputFile(name, file.tell(), digest))
    return input_digest(SHA256, files)


def is_known(digest: str, inputs: Collection[KnownInput]) -> bool:
    """Return whether a known input has this digest."""
    return any(entry.digest == digest for entry in inputs)


def may_be_known(inputs: Collection[KnownInput], *, images: int, total_bytes: int) -> bool:
    """Return whether a known input has this number and size of photos.

    Otherwise its digest is unknown, and computing it before the copy would be wasted.
    """
    return any(
        entry.digest.startswith(f"{SHA256}:") and (entry.images, entry.bytes) == (images, total_bytes)
        for entry in inputs
    )
