"""Kept photos: the checked photos of a run, which the next attempt takes over instead of copying and decoding them again.

They are in `Workspace.loaded` with the note `photos.json`. One rename gives the folder its name, after the note is written. The folder
is not flushed: a photo that is damaged by a crash of the machine does not match its digest.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reconstruction_operator import disk
from reconstruction_operator.jobfiles.layout import Workspace

_NOTE = "photos.json"
_MAX_NOTE_BYTES = 8 << 20


@dataclass(frozen=True, slots=True)
class KeptPhoto:
    """One checked photo, with its size in px after EXIF orientation."""

    name: str  # in the folder
    width: int
    height: int
    bytes: int  # of the user's file


@dataclass(frozen=True, slots=True)
class KeptPhotos:
    """The photos of one input."""

    digest: str  # of the input (`contract.fingerprint`)
    photos: tuple[KeptPhoto, ...]
    sha256: tuple[str, ...]  # of each file
    etag: str = ""  # of the https:// archive with the photos; empty for other inputs

    @property
    def bytes(self) -> int:
        """Total size of the user's files."""
        return sum(photo.bytes for photo in self.photos)


def keep(
    workspace: Workspace, digest: str, photos: Sequence[KeptPhoto], check: Callable[[], None], *, etag: str = ""
) -> None:
    """Keep the run's photos: write the note and rename their folder. `check` is called often, and may raise."""
    folder = workspace.photos
    described = [
        [photo.name, photo.width, photo.height, photo.bytes, _digest(folder / photo.name, check)] for photo in photos
    ]
    disk.delete_tree(workspace.loaded)
    (folder / _NOTE).write_text(json.dumps({"digest": digest, "etag": etag, "photos": described}) + "\n")
    folder.rename(workspace.loaded)


def read(workspace: Workspace) -> KeptPhotos | None:
    """Return the photos that an earlier attempt has kept; None if there are none or the note is invalid."""
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return _parse(json.loads(disk.read_regular(workspace.loaded / _NOTE, _MAX_NOTE_BYTES)))
    return None


def are_whole(workspace: Workspace, kept: KeptPhotos, check: Callable[[], None]) -> bool:
    """Return whether all files still match their digests. `check` is called often, and may raise."""
    try:
        pairs = zip(kept.photos, kept.sha256, strict=True)
        return all(_digest(workspace.loaded / photo.name, check) == sha256 for photo, sha256 in pairs)
    except OSError:
        return False


def _parse(data: Any) -> KeptPhotos:
    rows = [
        (str(name), int(width), int(height), int(size), str(sha256))
        for name, width, height, size, sha256 in data["photos"]
    ]
    if any(Path(name).name != name for name, *_ in rows):
        raise ValueError("a photo outside its folder")
    photos = tuple(KeptPhoto(name, width, height, size) for name, width, height, size, _ in rows)
    etag = str(data.get("etag", ""))  # older releases did not write it
    return KeptPhotos(str(data["digest"]), photos, tuple(sha256 for *_, sha256 in rows), etag)


def _digest(path: Path, check: Callable[[], None]) -> str:
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:
        return disk.digest(file, check)
