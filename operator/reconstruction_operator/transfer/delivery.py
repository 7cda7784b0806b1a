"""A copy of the result where the job wants it: `file://` folders below the allowed roots.

The copy is made in a place beside the target and gets there by one rename, so that nobody reads half of it. A folder with
anything else in it is never touched; one that holds an earlier result of the same job is replaced.

Any run may stand still between two calls of the system, and go on when another has long taken over. So all that a run moves,
it moves out of or into its own place: `.<job id>.<attempt>.<random>.partial`. Whoever comes later takes that away first, with
all that is in it, and then the earlier one's next rename fails before it has changed anything. Whoever makes a place only
afterwards finds that its run's folder is gone: a later attempt renames that away before it works.
"""

from __future__ import annotations

import contextlib
import logging
import re
import shutil
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from reconstruction_operator import config, disk
from reconstruction_operator.contract.errors import OvertakenError
from reconstruction_operator.contract.manifest import MANIFEST, MAX_MANIFEST_BYTES, Manifest
from reconstruction_operator.transfer import tenancy, uris
from reconstruction_operator.transfer.errors import StorageError

logger = logging.getLogger(__name__)

EVERY_ATTEMPT = 2**31 - 1  # more than any has

_REFUSED = "OUTPUT_REFUSED"
_CHUNK_BYTES = 1 << 20
_PLACE = re.compile(r"\.(?P<job>.+)\.(?P<attempt>[0-9]{1,10})\.[0-9a-f]{32}\.partial")


@dataclass(frozen=True, slots=True)
class Run:
    """Who delivers or withdraws. It has been overtaken once its `folder` is gone; without one it cannot tell."""

    job_id: str
    attempt: int
    folder: Path | None


def deliver(source: Path, uri: str, run: Run, check: Callable[[], None], *, namespace: str = "") -> None:
    """Makes the folder `uri` a copy of the sealed folder `source`; `check` is called often and may raise.

    Raises:
        StorageError: OUTPUT_REFUSED.
        OvertakenError: what lies at the target is left as it is.

    """
    target = _target(uri, namespace)
    target.parent.mkdir(parents=True, exist_ok=True)
    with _place(target, run) as place:
        check()
        _take_away_others(place, run, at_most=EVERY_ATTEMPT)
        _refuse_others(target, run)  # only now: an earlier run might have moved it between two looks
        if _holds(target, source):
            return
        copy = place / "copy"
        copy.mkdir()
        for path in sorted(source.rglob("*"), key=lambda one: one == source / MANIFEST):
            _copy(path, copy / path.relative_to(source), check)
        if not _holds(copy, source):  # a folder that is gone, or goes, lists nothing or a part
            raise OvertakenError
        check()
        if _is_free(target):
            copy.rename(target)
        else:
            _swap(copy, target, place / "previous", run)


def withdraw(uri: str, run: Run, *, namespace: str = "", copy: bool = True) -> None:
    """Deletes what this run and earlier ones have left there of a delivery, and with `copy` what was delivered as well.

    Raises:
        StorageError, OSError: it could not be deleted.
        OvertakenError: it is for the later run to do.

    """
    target = _target(uri, namespace)
    # In this order: a delivery that has no place any more lies at the target, unless it came too late for both.
    under_way = any(attempt <= run.attempt for _, attempt in _places(target.parent, run.job_id))
    if not under_way and not (copy and _is_earlier(target, run)):
        return
    with _place(target, run) as place:
        _take_away_others(place, run, at_most=run.attempt)
        if copy and _is_earlier(target, run):
            previous = place / "previous"
            target.rename(previous)
            if not _is_earlier(previous, run):  # it was replaced just now
                previous.rename(target)
        disk.delete_tree(place)  # says what cannot be deleted


def check_uri(uri: str, *, namespace: str = "") -> None:
    """Raises StorageError (OUTPUT_REFUSED) if nothing may be delivered there."""
    _target(uri, namespace)


def _target(uri: str, namespace: str) -> Path:
    parts = uris.split(uri, _REFUSED)
    if parts.scheme != "file":
        raise StorageError(_REFUSED, f"{parts.scheme}:// is not written by this worker; it takes file://")
    path = uris.local_path(parts, _REFUSED)
    roots = tuple(Path(root) for root in config.settings.OUTPUT_ROOTS)
    real = uris.resolved(path, _REFUSED)
    inside = uris.lies_below(path, roots) and real not in {root.resolve() for root in roots}
    if not inside or uris.lies_below(path, (Path(config.settings.JOBS_DIR),)):
        allowed = ", ".join(config.settings.OUTPUT_ROOTS) or "none"
        raise StorageError(_REFUSED, f"{path} does not lie below a folder that this worker may write to ({allowed})")
    granted = tenancy.granted(config.settings.NAMESPACE_OUTPUTS, namespace)
    if granted is not None and not uris.lies_below(path, tenancy.folders(granted)):
        left = ", ".join(granted) or "nothing"
        raise StorageError(
            _REFUSED, f"namespace {namespace or '(none)'} may not write to {path}: this worker leaves it {left}"
        )
    if any(_PLACE.fullmatch(part) for part in real.parts):
        raise StorageError(_REFUSED, f"{path} is named like a delivery that is under way")
    above = next(one for one in real.parents if one.exists())
    if not above.is_dir():
        raise StorageError(_REFUSED, f"{path} cannot be a folder: {above} is none")
    return real


def _is_free(target: Path) -> bool:
    return not target.exists() or (target.is_dir() and next(target.iterdir(), None) is None)


def _attempt_of(folder: Path, job_id: str) -> int | None:
    """The attempt whose result lies there (0: a bare task's); None: it holds no result of this job."""
    try:
        manifest = Manifest.parse(_read_manifest(folder))
    except OSError:
        return None
    return None if manifest is None or manifest.job_id != job_id else manifest.attempt or 0


def _read_manifest(folder: Path) -> bytes:
    return disk.read_regular(folder / MANIFEST, MAX_MANIFEST_BYTES)


def _is_earlier(folder: Path, run: Run) -> bool:
    attempt = _attempt_of(folder, run.job_id)
    return attempt is not None and attempt <= run.attempt


def _refuse_others(target: Path, run: Run) -> None:
    if _is_free(target):
        return
    attempt = _attempt_of(target, run.job_id)
    if attempt is None:
        raise StorageError(_REFUSED, f"{target} is not empty, and holds no result of this job")
    if attempt > run.attempt:
        raise OvertakenError


def _holds(folder: Path, source: Path) -> bool:
    """Whether it has the manifest of `source`, and all files that this names in full size."""
    try:
        sealed = (source / MANIFEST).read_bytes()
        manifest = Manifest.parse(sealed) if _read_manifest(folder) == sealed else None
    except OSError:
        return False
    return manifest is not None and disk.has_files(folder, manifest.sizes)


@contextlib.contextmanager
def _place(target: Path, run: Run) -> Iterator[Path]:
    """A folder of this run beside the target, deleted at the end. Whatever fails once it was overtaken, fails by that."""
    place = target.with_name(f".{run.job_id}.{run.attempt}.{uuid.uuid4().hex}.partial")
    place.mkdir()
    try:
        if _is_overtaken(run, place):
            raise OvertakenError
        yield place
    except (OSError, StorageError):
        if _is_overtaken(run, place):
            raise OvertakenError from None
        raise
    finally:
        try:
            disk.delete_tree(place)
        except OSError as error:  # what it was for is done, or has failed; others take it away
            logger.warning("could not delete %s, which a delivery has left: %s", place, error)


def _is_overtaken(run: Run, place: Path) -> bool:
    return not place.exists() or (run.folder is not None and not run.folder.exists())


def _places(folder: Path, job_id: str) -> Iterator[tuple[Path, int]]:
    """Those of the job in that folder, with their attempts."""
    try:
        found = list(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return
    for path in found:
        match = _PLACE.fullmatch(path.name)
        if match and match["job"] == job_id:
            yield path, int(match["attempt"])


def _take_away_others(place: Path, run: Run, *, at_most: int) -> None:
    """Moves the places of all other runs up to that attempt into this run's own."""
    for other, attempt in _places(place.parent, run.job_id):
        if other == place or attempt > at_most:
            continue
        if attempt > run.attempt:
            raise OvertakenError
        try:
            other.rename(place / other.name)
        except FileNotFoundError:
            if not place.exists():
                raise
            # The other one has ended by itself.


def _swap(copy: Path, target: Path, previous: Path, run: Run) -> None:
    _refuse_others(target, run)
    target.rename(previous)
    try:
        _refuse_others(previous, run)  # it may have been replaced just now
        copy.rename(target)
    except BaseException:
        with contextlib.suppress(OSError):  # somebody has put something there
            previous.rename(target)
        raise


def _copy(source: Path, target: Path, check: Callable[[], None]) -> None:
    """Never makes a folder above `target`: one that was taken away stays away."""
    check()
    if source.is_dir():
        target.mkdir()
        return
    with source.open("rb") as reader, target.open("xb") as writer:
        while chunk := reader.read(_CHUNK_BYTES):
            check()
            writer.write(chunk)
    shutil.copymode(source, target)
