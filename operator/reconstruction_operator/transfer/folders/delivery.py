"""Delivery: a copy of the result in the folder that the job names, a `file://` URI below OUTPUT_ROOTS.

The copy is made in a staging directory beside the target and takes its place by one rename, so that no reader sees half of it.
A target with foreign content is never touched; one that holds an earlier result of the same job is replaced.

A tenant may write to that folder meanwhile. So the path is resolved once, and all work is done by descriptors (`directories`).

Any run can pause between two system calls and go on long after another run has taken over. Therefore:

- A run only renames into or out of its own staging directory, `.<job id>.<attempt>.<random>.partial`.
- A later run first takes over the staging directories of all others: it moves what they hold and removes them. In a removed directory
  every rename fails, so an overtaken run changes nothing any more.
- A run that makes its staging directory after that fails, because its workspace is deleted: a later attempt retires workspaces first.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from reconstruction_operator.contract.errors import OvertakenError
from reconstruction_operator.contract.manifest import MANIFEST, MAX_MANIFEST_BYTES, Manifest
from reconstruction_operator.transfer.errors import StorageError
from reconstruction_operator.transfer.folders import targets
from reconstruction_operator.transfer.folders.directories import Directory
from reconstruction_operator.transfer.occupancy import Occupancy

logger = logging.getLogger(__name__)

EVERY_ATTEMPT = 2**31 - 1  # above any attempt number

_CHUNK_BYTES = 1 << 20
_TAKE_SECONDS = 10.0  # a program that adds files to a staging directory can spoil many tries
_COPY = "copy"  # in the staging directory
_PREVIOUS = "previous"


@dataclass(frozen=True, slots=True)
class Run:
    """The run that delivers or withdraws. It is overtaken once `folder`, its workspace, is deleted; None: no check.

    `replaced`: earlier jobs, whose copies its own may replace, since it takes over their result.
    """

    job_id: str
    attempt: int
    folder: Path | None
    replaced: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class _Staging:
    """The staging directory of a run, and the directory that holds it and the target."""

    run: Run
    name: str
    place: Directory
    own: Directory

    @property
    def is_overtaken(self) -> bool:
        folder = self.run.folder
        return not self.place.leads_to(self.name, self.own) or (folder is not None and not folder.exists())


def check(uri: str, run: Run, *, namespace: str = "", heir_of: tuple[str, str] | None = None) -> Occupancy:
    """What lies there. Raises StorageError (OUTPUT_REFUSED) if nothing may be delivered there, or OvertakenError, as `deliver` would.

    Only a probe shows whether the workers may write: a directory like those of deliveries, which a later run deletes if this one dies.
    The result of an earlier job with the namespace and name of `heir_of` is not refused, but returned.
    """
    target, standing = targets.find(uri, namespace), Occupancy()
    with contextlib.suppress(FileNotFoundError), _place(target, create=False) as place:
        standing = Occupancy(earlier=_earlier(place, target.name, run, heir_of))
        if standing.earlier is None:
            _refuse_others(place, target.name, run)
            standing = Occupancy(is_own=_attempt_of(place, target.name, run) is not None)
    above = next(one for one in target.parents if one.is_dir())
    with _place(above / target.name, create=False) as place:
        targets.probe(place, _staging_name(run))
    return standing


def deliver(source: Path, uri: str, run: Run, check: Callable[[], None], *, namespace: str = "") -> None:
    """Makes the folder `uri` a copy of the sealed folder `source`; `check` is called often and may raise.

    Raises StorageError (OUTPUT_REFUSED), or OvertakenError; the target is left as it is then.
    """
    target = targets.find(uri, namespace)
    with _place(target, create=True) as place, _staging(place, run) as staging:
        check()
        _take_others(staging, at_most=EVERY_ATTEMPT)
        _refuse_others(place, target.name, run)  # after that: an earlier run can no longer move the target
        if _holds(place, target.name, source):
            return
        staging.own.make(_COPY)
        with staging.own.enter(_COPY) as copy:
            for path in sorted(source.rglob("*"), key=lambda one: one == source / MANIFEST):
                _copy(path, copy, PurePosixPath(path.relative_to(source)), check)
        if not _holds(staging.own, _COPY, source):  # a source that is being deleted lists only a part
            raise OvertakenError
        check()
        if (
            staging.is_overtaken
        ):  # by a worker of the version before, which moves a staging directory but does not remove it
            raise OvertakenError
        if place.is_empty(target.name):
            staging.own.rename(_COPY, place, target.name)
        else:
            _swap(staging, target.name)


def withdraw(uri: str, run: Run, *, namespace: str = "", copy: bool = True) -> None:
    """Deletes the staging directories of this run and earlier ones at that place, and with `copy` the delivered copy too.

    Raises StorageError or OSError if that failed, OvertakenError if a later run has to do it.
    """
    target = targets.find(uri, namespace)
    try:
        place = _place(target, create=False)
    except FileNotFoundError:
        return
    with place:
        # Staging first, target second: a delivery that completes between the two looks is seen at the target.
        under_way = any(attempt <= run.attempt for _, attempt in _staged(place, run.job_id))
        if not under_way and not (copy and _is_earlier(place, target.name, run)):
            return
        with _staging(place, run) as staging:
            _take_others(staging, at_most=run.attempt)
            if copy and _is_earlier(place, target.name, run):
                place.rename(target.name, staging.own, _PREVIOUS)
                if not _is_earlier(staging.own, _PREVIOUS, run):  # a later run has just replaced it
                    staging.own.rename(_PREVIOUS, place, target.name)
            place.delete(staging.name)  # raises what cannot be deleted


def _place(target: Path, *, create: bool) -> Directory:
    """The directory that holds the target. Raises FileNotFoundError if it is missing and not to be created."""
    try:
        return Directory.open(target.parent, create=create)
    except NotADirectoryError:
        raise StorageError(targets.REFUSED, f"{target} was exchanged while it was looked up") from None


def _attempt_of(place: Directory, name: str, run: Run, *, replaced: bool = False) -> int | None:
    """The attempt whose result lies there (0: a bare task's, or of a job that is `replaced`); None: it holds no result of this job."""
    try:
        with place.enter(name) as folder:
            found = Manifest.identify(_read_manifest(folder))
    except OSError:
        return None
    if found is None:
        return None
    job_id, attempt = found
    if replaced and job_id in run.replaced:
        return 0
    return attempt if job_id == run.job_id else None


def _earlier(place: Directory, name: str, run: Run, heir_of: tuple[str, str] | None) -> Manifest | None:
    """The whole result of an earlier job of that namespace and name; None if there is none."""
    if heir_of is None:
        return None
    try:
        with place.enter(name) as folder:
            found = Manifest.parse(_read_manifest(folder))
            is_whole = found is not None and folder.has_files(found.sizes)
    except OSError:
        return None
    return found if found is not None and is_whole and found.is_of(*heir_of) and found.job_id != run.job_id else None


def _read_manifest(folder: Directory) -> bytes:
    return folder.read(MANIFEST, MAX_MANIFEST_BYTES)


def _is_earlier(place: Directory, name: str, run: Run) -> bool:
    attempt = _attempt_of(place, name, run)
    return attempt is not None and attempt <= run.attempt


def _refuse_others(place: Directory, name: str, run: Run) -> None:
    if place.is_empty(name):
        return
    attempt = _attempt_of(place, name, run, replaced=True)
    if attempt is None:
        raise StorageError(targets.REFUSED, f"{place.path / name} is not empty, and holds no result of this job")
    if attempt > run.attempt:
        raise OvertakenError


def _holds(place: Directory, name: str, source: Path) -> bool:
    """Whether it has the manifest of `source`, and all files that this names in full size."""
    try:
        sealed = (source / MANIFEST).read_bytes()
        with place.enter(name) as folder:
            manifest = Manifest.parse(sealed) if _read_manifest(folder) == sealed else None
            return manifest is not None and folder.has_files(manifest.sizes)
    except OSError:
        return False


@contextlib.contextmanager
def _staging(place: Directory, run: Run) -> Iterator[_Staging]:
    """A new staging directory of this run, deleted at the end. An overtaken run raises OvertakenError for any failure."""
    name = _staging_name(run)
    place.make(name)
    try:
        with _entered(place, name) as own:
            staging = _Staging(run, name, place, own)
            try:
                if staging.is_overtaken:
                    raise OvertakenError
                yield staging
            except (OSError, StorageError):
                if staging.is_overtaken:
                    raise OvertakenError from None
                raise
    finally:
        try:
            place.delete(name)
        except OSError as error:  # the delivery is already decided; a later run deletes it
            logger.warning("could not delete %s, which a delivery has left: %s", place.path / name, error)


def _staging_name(run: Run) -> str:
    return f".{run.job_id}.{run.attempt}.{uuid.uuid4().hex}.partial"


def _entered(place: Directory, name: str) -> Directory:
    try:
        return place.enter(name)
    except (FileNotFoundError, NotADirectoryError):
        raise OvertakenError from None


def _staged(place: Directory, job_id: str) -> Iterator[tuple[str, int]]:
    """The job's staging directories in that directory, with their attempts."""
    for name in place.names():
        match = targets.STAGING.fullmatch(name)
        if match and match["job"] == job_id:
            yield name, int(match["attempt"])


def _take_others(staging: _Staging, *, at_most: int) -> None:
    """Moves all that other runs up to that attempt have staged into this run's own directory, and removes theirs."""
    for name, attempt in _staged(staging.place, staging.run.job_id):
        if name == staging.name or attempt > at_most:
            continue
        if attempt > staging.run.attempt:
            raise OvertakenError
        _take(staging.place, name, staging, time.monotonic() + _TAKE_SECONDS)


def _take(source: Directory, name: str, staging: _Staging, deadline: float) -> None:
    is_staging = targets.STAGING.fullmatch(name) is not None  # also in the directory of a run that was about to take it
    taken = name if is_staging else uuid.uuid4().hex
    try:
        source.rename(name, staging.own, taken)
    except FileNotFoundError:
        if staging.is_overtaken:
            raise
        return  # the other run has just deleted or delivered it itself
    if not is_staging:
        return
    # Its run may hold a descriptor of it. Not until it is removed do all its renames fail.
    with contextlib.suppress(NotADirectoryError), staging.own.enter(taken) as other:
        while True:
            for entry in other.names():
                _take(other, entry, staging, deadline)
            try:
                staging.own.remove(taken)
            except OSError as error:
                if error.errno != errno.ENOTEMPTY or time.monotonic() > deadline:
                    raise
            else:
                return


def _swap(staging: _Staging, name: str) -> None:
    place, own, run = staging.place, staging.own, staging.run
    _refuse_others(place, name, run)
    place.rename(name, own, _PREVIOUS)
    try:
        _refuse_others(own, _PREVIOUS, run)  # a later run may have replaced it just now
        own.rename(_COPY, place, name)
    except BaseException:
        with contextlib.suppress(OSError):  # the target is occupied again
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
