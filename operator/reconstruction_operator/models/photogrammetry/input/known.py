"""Known photos: those that another run has prepared in the same way are copied, not decoded again.

A stage of prepared photos has an index of them, by the digests of the user's photo and of its mask.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from reconstruction_operator.models.interface import Photo, mask_of
from reconstruction_operator.models.photogrammetry.input.photos import PreparedPhoto

_INDEX = "known.json"


@dataclass(frozen=True, slots=True)
class KnownPhotos:
    """The prepared photos in the folder of a stage, as they were before a still background was masked."""

    folder: Path = Path()
    by_key: Mapping[str, PreparedPhoto] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Return those that `write` has written to the folder; none from an older stage."""
        index = folder / _INDEX
        entries: dict[str, Any] = json.loads(index.read_text()) if index.is_file() else {}
        return cls(folder, {key: decoded(entry) for key, entry in entries.items()})

    def count(self, photos: Iterable[Photo]) -> int:
        """Return how many of `photos` are known."""
        return sum(_key(photo) in self.by_key for photo in photos)

    def copy(self, photo: Photo, target: Path) -> PreparedPhoto | None:
        """Copy the file of `photo`, and that of its mask, to `target` and beside it; return None if it is not known."""
        made = self.by_key.get(_key(photo))
        if made is None:
            return None
        shutil.copyfile(self.folder / made.name, target)
        mask = mask_of(target.name) if made.mask else None
        if made.mask and mask:
            shutil.copyfile(self.folder / made.mask, target.with_name(mask))
        return replace(made, name=target.name, source=photo.path.name, mask=mask)


def write(folder: Path, photos: Iterable[Photo], made: Iterable[PreparedPhoto]) -> None:
    """Write the index of the prepared photos `made` in the folder, from the users' `photos`."""
    by_name = {photo.path.name: photo for photo in photos}
    keyed = ((_key(by_name[photo.source]), photo) for photo in made)
    (folder / _INDEX).write_text(json.dumps({key: asdict(photo) for key, photo in keyed if key}))


def decoded(entry: Mapping[str, Any]) -> PreparedPhoto:
    """Return the prepared photo that `asdict` and JSON, which has lists for tuples, have made of it."""
    return PreparedPhoto(**{**entry, "place": entry["place"] and tuple(entry["place"])})


def _key(photo: Photo) -> str:
    """Return what a prepared photo depends on beside the settings; empty if the photo's digest is unknown."""
    mask = hashlib.sha256(photo.mask.read_bytes()).hexdigest() if photo.mask and photo.sha256 else ""
    return f"{photo.sha256}{mask}"
