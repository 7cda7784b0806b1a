"""Kept photos: the checked photos of a run, which the next attempt takes over instead of copying and decoding them again.

They are in `Workspace.loaded` with the note `photos.json`. One rename gives the folder its name, after the note is written. The folder
is not flushed: a photo that is damaged by a crash of the machine does not match its digest.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from reconstruction_operator import disk
from reconstruction_operator.api import codec
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
    sha256: str = ""  # of the file in the folder


@dataclass(frozen=True, slots=True)
class KeptPhotos:
    """The photos of one input."""

    digest: str  # of the input (`contract.fingerprint`)
    photos: tuple[KeptPhoto, ...]
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
    described = tuple(replace(photo, sha256=_digest(folder / photo.name, check)) for photo in photos)
    disk.delete_tree(workspace.loaded)
    (folder / _NOTE).write_text(json.dumps(codec.encode(KeptPhotos(digest, described, etag))) + "\n")
    folder.rename(workspace.loaded)


def read(workspace: Workspace) -> KeptPhotos | None:
    """Return the photos that an earlier attempt has kept; None if there are none or the note is invalid."""
    with contextlib.suppress(OSError, ValueError, TypeError, RecursionError):
        kept = codec.decode(KeptPhotos, json.loads(disk.read_regular(workspace.loaded / _NOTE, _MAX_NOTE_BYTES)))
        if all(Path(photo.name).name == photo.name for photo in kept.photos):
            return kept
    return None


def are_whole(workspace: Workspace, kept: KeptPhotos, check: Callable[[], None]) -> bool:
    """Return whether all files still match their digests. `check` is called often, and may raise."""
    try:
        return all(_digest(workspace.loaded / photo.name, check) == photo.sha256 for photo in kept.photos)
    except OSError:
        return False


def _digest(path: Path, check: Callable[[], None]) -> str:
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:
        return disk.digest(file, check)
