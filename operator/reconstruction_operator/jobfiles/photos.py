"""Kept photos: the checked photos of a run, which the next attempt takes over instead of copying and decoding them
again.

They are in `Workspace.loaded` with the note `photos.json`. One rename gives the folder its name, after the note is
written. The folder is not flushed: a photo that is damaged by a crash of the machine does not match its digest.
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
from reconstruction_operator.contract.photos import Photo
from reconstruction_operator.jobfiles.layout import Workspace

_NOTE = "photos.json"
_MAX_NOTE_BYTES = 8 << 20


@dataclass(frozen=True, slots=True)
class KeptPhotos:
    """The photos of one input. In the note, their paths are names in the folder."""

    digest: str  # of the input (`contract.fingerprint`)
    photos: tuple[Photo, ...]  # with their masks among them; each with its digest
    etag: str = ""  # of the https:// archive with the photos; empty for other inputs

    @property
    def bytes(self) -> int:
        """Total size of the user's files."""
        return sum(photo.bytes for photo in self.photos)


def keep(
    workspace: Workspace, digest: str, photos: Sequence[Photo], check: Callable[[], None], *, etag: str = ""
) -> tuple[Photo, ...]:
    """Keep the run's photos: write the note and rename their folder.

    Return them in it. `check` is called often, and may raise.
    """
    folder = workspace.photos
    names = [Path(photo.path.name) for photo in photos]
    named = tuple(
        replace(photo, path=name, sha256=_digest(folder / name, check))
        for photo, name in zip(photos, names, strict=True)
    )
    disk.delete_tree(workspace.loaded)
    (folder / _NOTE).write_text(json.dumps(codec.encode(KeptPhotos(digest, named, etag))) + "\n")
    folder.rename(workspace.loaded)
    return _inside(workspace, named)


def read(workspace: Workspace) -> KeptPhotos | None:
    """Return the photos that an earlier attempt has kept; None if there are none or the note is invalid."""
    with contextlib.suppress(OSError, ValueError, TypeError, RecursionError):
        kept = codec.decode(KeptPhotos, json.loads(disk.read_regular(workspace.loaded / _NOTE, _MAX_NOTE_BYTES)))
        if all(photo.path.name == str(photo.path) for photo in kept.photos):
            return replace(kept, photos=_inside(workspace, kept.photos))
    return None


def are_whole(kept: KeptPhotos, check: Callable[[], None]) -> bool:
    """Return whether all files still match their digests. `check` is called often, and may raise."""
    try:
        return all(_digest(photo.path, check) == photo.sha256 for photo in kept.photos)
    except OSError:
        return False


def _inside(workspace: Workspace, named: Sequence[Photo]) -> tuple[Photo, ...]:
    return tuple(replace(photo, path=workspace.loaded / photo.path, mask=None) for photo in named)


def _digest(path: Path, check: Callable[[], None]) -> str:
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:
        return disk.digest(file, check)
