"""Delivery: a copy of the result in the folder that the job names, a `file://` URI below OUTPUT_ROOTS.

The copy is made in a staging directory beside the target and takes its place by one rename, so that no reader sees half of it.
A target with foreign content is never touched; one that holds an earlier result of the same job is replaced.

Any run can pause between two system calls and go on long after another run has taken over. Therefore:

- A run only renames into or out of its own staging directory, `.<job id>.<attempt>.<random>.partial`.
- A later run first moves away the staging directories of all others. The next rename of an overtaken run fails before it has
  changed anything.
- A run that makes its staging directory after that fails, because its workspace is deleted: a later attempt retires workspaces first.
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

EVERY_ATTEMPT = 2**31 - 1  # above any attempt number

_REFUSED = "OUTPUT_REFUSED"
_CHUNK_BYTES = 1 << 20
_STAGING = re.compile(r"\.(?P<job>.+)\.(?P<attempt>[0-9]{1,10})\.[0-9a-f]{32}\.partial")


@dataclass(frozen=True, slots=True)
class Run:
    """The run that delivers or withdraws. It is overtaken once `folder`, its workspace, is deleted; None: no check."""

    job_id: str
    attempt: int
    folder: Path | None


def deliver(source: Path, uri: str, run: Run, check: Callable[[], None], *, namespace: str = "") -> None:
    """Makes the folder `uri` a copy of the sealed folder `source`; `check` is called often and may raise.

    Raises StorageError (OUTPUT_REFUSED), or OvertakenError; the target is left as it is then.
    """
    target = _target(uri, namespace)
    target.parent.mkdir(parents=True, exist_ok=True)
    with _staging(target, run) as staging:
        check()
        _take_others(staging, run, at_most=EVERY_ATTEMPT)
        _refuse_others(target, run)  # after that: an earlier run can no longer move the target
        if _holds(target, source):
            return
        copy = staging / "copy"
        copy.mkdir()
        for path in sorted(source.rglob("*"), key=lambda one: one == source / MANIFEST):
            _copy(path, copy / path.relative_to(source), check)
        if not _holds(copy, source):  # a source that is being deleted lists only a part
            raise OvertakenError
        check()
        if _is_free(target):
            copy.rename(target)
        else:
            _swap(copy, target, staging / "previous", run)


def withdraw(uri: str, run: Run, *, namespace: str = "", copy: bool = True) -> None:
    """Deletes the staging directories of this run and earlier ones at that place, and with `copy` the delivered copy too.

    Raises StorageError or OSError if that failed, OvertakenError if a later run has to do it.
    """
    target = _target(uri, namespace)
    # Staging first, target second: a delivery that completes between the two looks is seen at the target.
    under_way = any(attempt <= run.attempt for _, attempt in _staged(target.parent, run.job_id))
    if not under_way and not (copy and _is_earlier(target, run)):
        return
    with _staging(target, run) as staging:
        _take_others(staging, run, at_most=run.attempt)
        if copy and _is_earlier(target, run):
            previous = staging / "previous"
            target.rename(previous)
            if not _is_earlier(previous, run):  # a later run has just replaced it
                previous.rename(target)
        disk.delete_tree(staging)  # raises what cannot be deleted


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
    inside = uris.lies_below(real, roots) and real not in {root.resolve() for root in roots}
    if not inside or uris.lies_below(real, (Path(config.settings.JOBS_DIR),)):
        allowed = ", ".join(config.settings.OUTPUT_ROOTS) or "none"
        raise StorageError(_REFUSED, f"{path} does not lie below a folder that this worker may write to ({allowed})")
    granted = tenancy.granted(config.settings.NAMESPACE_OUTPUTS, namespace)
    if granted is not None and not uris.lies_below(real, tenancy.folders(granted)):
        left = ", ".join(granted) or "nothing"
        raise StorageError(
            _REFUSED, f"namespace {namespace or '(none)'} may not write to {path}: this worker leaves it {left}"
        )
    if any(_STAGING.fullmatch(part) for part in real.parts):
        raise StorageError(_REFUSED, f"{path} is named like a delivery that is under way")
    above = next(one for one in real.parents if one.exists())
    if not above.is_dir():
        raise StorageError(_REFUSED, f"{path} cannot be a folder: {above} is not one")
    return real


def _is_free(target: Path) -> bool:
    return not target.exists() or (target.is_dir() and next(target.iterdir(), None) is None)


def _attempt_of(folder: Path, job_id: str) -> int | None:
    """The attempt whose result lies there (0: a bare task's); None: it holds no result of this job."""
    try:
        found = Manifest.identify(_read_manifest(folder))
    except OSError:
        return None
    return found[1] if found is not None and found[0] == job_id else None


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
def _staging(target: Path, run: Run) -> Iterator[Path]:
    """A new staging directory of this run, deleted at the end. An overtaken run raises OvertakenError for any failure."""
    staging = target.with_name(f".{run.job_id}.{run.attempt}.{uuid.uuid4().hex}.partial")
    staging.mkdir()
    try:
        if _is_overtaken(run, staging):
            raise OvertakenError
        yield staging
    except (OSError, StorageError):
        if _is_overtaken(run, staging):
            raise OvertakenError from None
        raise
    finally:
        try:
            disk.delete_tree(staging)
        except OSError as error:  # the delivery is already decided; a later run deletes it
            logger.warning("could not delete %s, which a delivery has left: %s", staging, error)


def _is_overtaken(run: Run, staging: Path) -> bool:
    return not staging.exists() or (run.folder is not None and not run.folder.exists())


def _staged(folder: Path, job_id: str) -> Iterator[tuple[Path, int]]:
    """The job's staging directories in that folder, with their attempts."""
    for path in disk.entries(folder):
        match = _STAGING.fullmatch(path.name)
        if match and match["job"] == job_id:
            yield path, int(match["attempt"])


def _take_others(staging: Path, run: Run, *, at_most: int) -> None:
    """Moves the staging directories of all other runs up to that attempt into this run's own."""
    for other, attempt in _staged(staging.parent, run.job_id):
        if other == staging or attempt > at_most:
            continue
        if attempt > run.attempt:
            raise OvertakenError
        try:
            other.rename(staging / other.name)
        except FileNotFoundError:
            if not staging.exists():
                raise
            # The other run has just deleted it itself.


def _swap(copy: Path, target: Path, previous: Path, run: Run) -> None:
    _refuse_others(target, run)
    target.rename(previous)
    try:
        _refuse_others(previous, run)  # a later run may have replaced it just now
        copy.rename(target)
    except BaseException:
        with contextlib.suppress(OSError):  # the target is occupied again
            previous.rename(target)
        raise


def _copy(source: Path, target: Path, check: Callable[[], None]) -> None:
    """Never creates parents of `target`: a staging directory that was taken away stays away."""
    check()
    if source.is_dir():
        target.mkdir()
        return
    with source.open("rb") as reader, target.open("xb") as writer:
        while chunk := reader.read(_CHUNK_BYTES):
            check()
            writer.write(chunk)
    shutil.copymode(source, target)
