"""Folder delivery: copies the result to the folder that the job names, a `file://` URI below OUTPUT_ROOTS.

The copy is made in a staging directory beside the target (`staging`). One rename moves it into place, so no reader sees
a partial copy. A target with foreign content is never changed; an earlier result of the same job is replaced.

A tenant may write to that folder at any time. So the path is resolved once, and all further access is by descriptors
(`directories`).
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final
from urllib.parse import unquote, urlsplit

from reconstruction_operator.contract.attempt import SupersededError
from reconstruction_operator.contract.manifest import MANIFEST, MAX_MANIFEST_BYTES, Manifest
from reconstruction_operator.transfer.errors import StorageError
from reconstruction_operator.transfer.folders import targets
from reconstruction_operator.transfer.folders.directories import Directory
from reconstruction_operator.transfer.folders.staging import Staging, new_name, open_staging, seize_others, staged
from reconstruction_operator.transfer.limits import Tick
from reconstruction_operator.transfer.runs import EVERY_ATTEMPT, DeliveringRun

_CHUNK_BYTES: Final = 1 << 20
_COPY: Final = "copy"  # in the staging directory
_PREVIOUS: Final = "previous"


@dataclass(frozen=True, slots=True)
class FolderTarget:
    """An output folder."""

    uri: str
    namespace: str = ""

    @property
    def path(self) -> Path:
        """See `outputs.Target`."""
        # Unchecked, and without accessing the disk.
        return Path(unquote(urlsplit(self.uri).path))

    def check(self, run: DeliveringRun, _check: Callable[[], None] = lambda: None, /) -> bool:
        """See `outputs.Target`. Write permission is tested by making a directory.

        It is named like a staging directory: a later run deletes it if this worker dies.
        """
        target, is_own = targets.find(self.uri, self.namespace), False
        with contextlib.suppress(FileNotFoundError), _place(target, create=False) as place:
            _refuse_others(place, target.name, run)
            is_own = _attempt_of(place, target.name, run) is not None
        above = next(folder for folder in target.parents if folder.is_dir())
        with targets.writing(target), _place(above / target.name, create=False) as place:
            targets.probe(place, new_name(run))
        return is_own

    def deliver(
        self, source: Path, run: DeliveringRun, check: Callable[[], None], _tick: Tick = lambda *_: None, /
    ) -> None:
        """See `outputs.Target`. If it raises, the target is unchanged.

        Raises StorageError (OUTPUT_REFUSED; OUTPUT_UPLOAD_FAILED if the disk is full) or SupersededError.
        """
        target = targets.find(self.uri, self.namespace)
        with targets.writing(target), _place(target, create=True) as place, open_staging(place, run) as staging:
            check()
            seize_others(staging, at_most=EVERY_ATTEMPT)
            _refuse_others(place, target.name, run)  # from here on, an earlier run can no longer move the target
            if _holds(place, target.name, source):
                return
            staging.own.make(_COPY)
            with staging.own.enter(_COPY) as copy:
                for path in sorted(source.rglob("*"), key=lambda path: path == source / MANIFEST):
                    _copy(path, copy, PurePosixPath(path.relative_to(source)), check)
            # An incomplete copy: the source is being deleted, and listed only some of its files.
            if not _holds(staging.own, _COPY, source):
                raise SupersededError
            check()
            if place.is_empty(target.name):
                staging.own.rename(_COPY, place, target.name)
            else:
                _swap(staging, target.name)

    def withdraw(self, run: DeliveringRun, *, copy: bool = True) -> None:
        """See `outputs.Target`. Staging directories beside the target are always deleted."""
        target = targets.find(self.uri, self.namespace)
        try:
            place = _place(target, create=False)
        except FileNotFoundError:
            return
        with place:
            # Staging is checked first: a delivery that completes between the two checks is then found at the target.
            under_way = any(attempt <= run.number for _, attempt in staged(place, run.job_id))
            if not under_way and not (copy and _is_earlier(place, target.name, run)):
                return
            with open_staging(place, run) as staging:
                seize_others(staging, at_most=run.number)
                if copy and _is_earlier(place, target.name, run):
                    place.rename(target.name, staging.own, _PREVIOUS)
                    if not _is_earlier(staging.own, _PREVIOUS, run):  # a later run replaced the copy just now
                        staging.own.rename(_PREVIOUS, place, target.name)
                place.delete(staging.name)  # raises if something cannot be deleted

    def place_of(self, _manifest: Manifest, /) -> str:
        """See `outputs.Target`."""
        return self.uri


def _place(target: Path, *, create: bool) -> Directory:
    """Open the directory that contains the target. Raises FileNotFoundError if it is missing and `create` is false."""
    try:
        return Directory.open(target.parent, create=create)
    except NotADirectoryError:
        raise StorageError(targets.REFUSED, f"{target} was replaced while it was opened") from None


def _swap(staging: Staging, name: str) -> None:
    place, own, run = staging.place, staging.own, staging.run
    _refuse_others(place, name, run)
    place.rename(name, own, _PREVIOUS)
    try:
        _refuse_others(own, _PREVIOUS, run)  # a later run may have replaced the target just now
        own.rename(_COPY, place, name)
    except BaseException:
        with contextlib.suppress(OSError):  # another run has filled the target
            own.rename(_PREVIOUS, place, name)
        raise


def _copy(source: Path, folder: Directory, path: PurePosixPath, check: Callable[[], None]) -> None:
    check()
    if source.is_dir():
        folder.make_below(path)
        return
    with source.open("rb") as reader, folder.create(path, source.stat().st_mode) as writer:
        while chunk := reader.read(_CHUNK_BYTES):
            check()
            writer.write(chunk)


def _attempt_of(place: Directory, name: str, run: DeliveringRun, *, predecessors: bool = False) -> int | None:
    """Return the attempt whose result the entry is; None if it is not a result of this job.

    0: the result of a bare task or, with `predecessors`, of a predecessor of this job.
    """
    try:
        with place.enter(name) as folder:
            identity = Manifest.identify(folder.read(MANIFEST, MAX_MANIFEST_BYTES))
    except OSError:
        return None
    if identity is None:
        return None
    if predecessors and identity.job_id in run.predecessors:
        return 0
    return identity.number if identity.job_id == run.job_id else None


def _is_earlier(place: Directory, name: str, run: DeliveringRun) -> bool:
    """Return whether the entry is a result of this run's attempt or an earlier one."""
    attempt = _attempt_of(place, name, run)
    return attempt is not None and attempt <= run.number


def _refuse_others(place: Directory, name: str, run: DeliveringRun) -> None:
    """Raise StorageError (OUTPUT_REFUSED) for a foreign entry, SupersededError for a result of a later attempt."""
    if place.is_empty(name):
        return
    attempt = _attempt_of(place, name, run, predecessors=True)
    if attempt is None:
        raise StorageError(targets.REFUSED, f"{place.path / name} is not empty, and holds no result of this job")
    if attempt > run.number:
        raise SupersededError


def _holds(place: Directory, name: str, source: Path) -> bool:
    """Return whether the entry has the manifest of `source`, and all files of that manifest in full size."""
    try:
        sealed = (source / MANIFEST).read_bytes()
        with place.enter(name) as folder:
            manifest = Manifest.parse(sealed) if folder.read(MANIFEST, MAX_MANIFEST_BYTES) == sealed else None
            return manifest is not None and folder.has_files(manifest.sizes)
    except OSError:
        return False
