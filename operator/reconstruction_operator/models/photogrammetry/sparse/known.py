"""Known features and matches: those of photos that another run has had too are copied from its database.

Features belong to the prepared photo, its mask, its camera and the settings; matches to the features of two photos. So
a run with a few more photos finds only the features of these, and matches only pairs with one of them.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import itertools
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from reconstruction_operator.models.photogrammetry.input.photos import PreparedPhoto
from reconstruction_operator.models.photogrammetry.sparse.colmap import pycolmap
from reconstruction_operator.models.photogrammetry.sparse.pairs import Pair

DATABASE = "features.db"

_INDEX = "known.json"
_DISK_FULL = "disk is full"  # SQLite's text, in COLMAP's error
_NOT_OPENED = "No registered database factory succeeded"  # also of a new database without room for its tables
_NEW_DATABASE_BYTES = 1 << 18


@dataclass(frozen=True, slots=True)
class Known:
    """What a database of another run has of the photos of this one."""

    database: Path
    names: Mapping[str, str]  # of each known photo in this run -> in the database

    @classmethod
    def of(cls, folder: Path, keys: Mapping[str, str], copy: Path) -> Self:
        """Return what the database in the folder of a stage has of photos with those `keys`, by their names.

        It is read from the file `copy`, since COLMAP writes to a database that it opens.
        """
        shutil.copyfile(folder / DATABASE, copy)
        index = folder / _INDEX
        theirs = {key: name for name, key in json.loads(index.read_text()).items()} if index.is_file() else {}
        return cls(copy, {name: theirs[key] for name, key in keys.items() if key in theirs})

    def copy_features(self, database: Path) -> frozenset[str]:
        """Copy the features of known photos to `database`, which has all photos; return the names of these."""
        ids = _ids(database)
        theirs = _ids(self.database)
        with pycolmap.Database.open(self.database) as source, pycolmap.Database.open(database) as target:
            for name, other in self.names.items():
                target.write_keypoints(ids[name], source.read_keypoints(theirs[other]))
                target.write_descriptors(ids[name], source.read_descriptors(theirs[other]))
        return frozenset(self.names)

    def copy_matches(self, database: Path, pairs: Iterable[Pair]) -> None:
        """Copy the matches of those of `pairs` whose photos are known, and were matched in the same order."""
        ids = _ids(database)
        theirs = _ids(self.database)
        with pycolmap.Database.open(self.database) as source, pycolmap.Database.open(database) as target:
            for first, second in pairs:
                if first not in self.names or second not in self.names:
                    continue
                there = self.names[first], self.names[second]
                here, other = (ids[first], ids[second]), (theirs[there[0]], theirs[there[1]])
                is_alike = (there[0] < there[1], other[0] < other[1]) == (first < second, here[0] < here[1])
                if is_alike and there[0] != there[1] and source.exists_two_view_geometry(*other):
                    target.write_matches(*here, source.read_matches(*other))
                    target.write_two_view_geometry(*here, source.read_two_view_geometry(*other))


def keys_of(photos: Sequence[PreparedPhoto], folder: Path, features: int) -> dict[str, str]:
    """Return what the features of each photo (files in `folder`) depend on, by its name; at most `features` of each."""
    return {photo.name: _key(photo, folder, features) for photo in photos}


def write(folder: Path, database: Path, keys: Mapping[str, str]) -> None:
    """Write `database`, with what its features depend on, to the folder of a stage."""
    with _filling(folder):
        _write_in_order(database, folder / DATABASE)
    (folder / _INDEX).write_text(json.dumps(dict(keys)))


def write_matches(folder: Path, database: Path, pairs: Iterable[Pair]) -> None:
    """Write the matches of those pairs in `database` to the folder of a part."""
    ids = _ids(database)
    with (
        _filling(folder),
        pycolmap.Database.open(database) as source,
        pycolmap.Database.open(folder / DATABASE) as target,
    ):
        for first, second in pairs:
            _copy_pair(source, target, (ids[first], ids[second]))


def read_matches(folder: Path, database: Path, pairs: Iterable[Pair], copy: Path) -> None:
    """Write to `database` the matches of those pairs that `write_matches` has written to the folder.

    They are read from the file `copy`, since COLMAP writes to a database that it opens.
    """
    shutil.copyfile(folder / DATABASE, copy)
    ids = _ids(database)
    with pycolmap.Database.open(copy) as source, pycolmap.Database.open(database) as target:
        for first, second in pairs:
            if not target.exists_matches(ids[first], ids[second]):  # the run has those of its own parts
                _copy_pair(source, target, (ids[first], ids[second]))


@contextlib.contextmanager
def _filling(folder: Path) -> Iterator[None]:
    """Turn COLMAP's error of a full disk, a RuntimeError, into the OSError that says so."""
    try:
        yield
    except RuntimeError as error:
        space = os.statvfs(folder)
        no_room = _NOT_OPENED in str(error) and space.f_bavail * space.f_frsize < _NEW_DATABASE_BYTES
        if _DISK_FULL in str(error) or no_room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder / DATABASE)) from error
        raise


def _copy_pair(source: pycolmap.Database, target: pycolmap.Database, pair: tuple[int, int]) -> None:
    if source.exists_matches(*pair):
        target.write_matches(*pair, source.read_matches(*pair))
    if source.exists_two_view_geometry(*pair):
        target.write_two_view_geometry(*pair, source.read_two_view_geometry(*pair))


def _write_in_order(database: Path, copy: Path) -> None:
    """Write `database` row by row to the file `copy`.

    A database is in the order in which threads finished: a copy of its file would differ from run to run.
    """
    with (
        pycolmap.Database.open(database) as source,
        pycolmap.Database.open(copy) as target,
        pycolmap.DatabaseTransaction(target),
    ):
        for camera in sorted(source.read_all_cameras(), key=lambda camera: camera.camera_id):
            target.write_camera(camera, use_camera_id=True)
        for rig in sorted(source.read_all_rigs(), key=lambda rig: rig.rig_id):
            target.write_rig(rig, use_rig_id=True)
        for frame in sorted(source.read_all_frames(), key=lambda frame: frame.frame_id):
            target.write_frame(frame, use_frame_id=True)
        images = sorted(source.read_all_images(), key=lambda image: image.image_id)
        for image in images:
            target.write_image(image, use_image_id=True)
            target.write_keypoints(image.image_id, source.read_keypoints(image.image_id))
            target.write_descriptors(image.image_id, source.read_descriptors(image.image_id))
        for pair in itertools.combinations([image.image_id for image in images], 2):
            _copy_pair(source, target, pair)


def _key(photo: PreparedPhoto, folder: Path, features: int) -> str:
    digests = [
        hashlib.sha256((folder / name).read_bytes()).hexdigest() if name else "" for name in (photo.name, photo.mask)
    ]
    text = json.dumps([*digests, photo.camera, features])
    return hashlib.sha256(text.encode()).hexdigest()


def _ids(database: Path) -> dict[str, int]:
    with pycolmap.Database.open(database) as opened:
        return {str(image.name): image.image_id for image in opened.read_all_images()}
