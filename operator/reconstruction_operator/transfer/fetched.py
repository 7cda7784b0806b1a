"""Fetched input: what every transfer of photos returns, whichever way they came."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from reconstruction_operator.transfer.names import Ignored


@dataclass(frozen=True, slots=True)
class Fetched:
    """A fetched input: its photos in natural order of their names, and a description of the ignored files.

    If the caller already knows the digest, the input was not copied and `photos` is empty.
    """

    photos: tuple[Path, ...]
    ignored: Ignored
    digest: str = ""  # digest of the input (`digests`); empty: not computed
    etag: str = ""  # ETag of an archive on an https:// server; empty: the server sends none
