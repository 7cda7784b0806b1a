"""Staging directory: where a run builds its copy until one rename moves it into place.

Any run can pause between two system calls and continue long after another run has superseded it. Therefore:

- A run renames only into or out of its own staging directory, `.<job id>.<attempt>.<random>.partial`.
- A later run first seizes the staging directories of all other runs: it moves their contents out and removes them.
  Every rename in a removed directory fails, so a superseded run can no longer change anything.
- A superseded run that makes its staging directory only afterwards fails too: a later attempt deletes earlier
  workspaces first.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from reconstruction_operator.contract.attempt import SupersededError
from reconstruction_operator.transfer.errors import StorageError
from reconstruction_operator.transfer.folders import targets
from reconstruction_operator.transfer.folders.directories import Directory
from reconstruction_operator.transfer.runs import DeliveringRun

logger = logging.getLogger(__name__)

_SEIZE_SECONDS: Final = 10.0  # another program that keeps adding files to a staging directory makes its removal fail


@dataclass(frozen=True, slots=True)
class Staging:
    """The staging directory of a run (`own`), and the directory that contains it and the target (`place`)."""

    run: DeliveringRun
    name: str
    place: Directory
    own: Directory

    @property
    def is_superseded(self) -> bool:
        """Whether another run has seized the directory, or the run's workspace is deleted."""
        return not self.place.leads_to(self.name, self.own) or self.run.is_superseded


@contextlib.contextmanager
def open_staging(place: Directory, run: DeliveringRun) -> Iterator[Staging]:
    """Make a staging directory for this run, and delete it at the end.

    Failures of a superseded run become SupersededError.
    """
    name = new_name(run)
    place.make(name)
    try:
        with _entered(place, name) as own:
            staging = Staging(run, name, place, own)
            try:
                if staging.is_superseded:
                    raise SupersededError
                yield staging
            except (OSError, StorageError):
                if staging.is_superseded:
                    raise SupersededError from None
                raise
    finally:
        try:
            place.delete(name)
        except OSError as error:  # the delivery is complete, and a later run deletes the directory
            logger.warning("could not delete the staging directory %s of this delivery: %s", place.path / name, error)


def new_name(run: DeliveringRun) -> str:
    """Return a new name for a staging directory of this run."""
    return f".{run.job_id}.{run.number}.{uuid.uuid4().hex}.partial"


def _entered(place: Directory, name: str) -> Directory:
    try:
        return place.enter(name)
    except (FileNotFoundError, NotADirectoryError):
        raise SupersededError from None


def staged(place: Directory, job_id: str) -> Iterator[tuple[str, int]]:
    """Yield the job's staging directories in `place`, with their attempts."""
    for name in place.names():
        match = targets.STAGING.fullmatch(name)
        if match and match["job"] == job_id:
            yield name, int(match["attempt"])


def seize_others(staging: Staging, *, at_most: int) -> None:
    """Move everything that other runs up to attempt `at_most` have staged into this run's
    directory, and remove theirs.
    """
    for name, attempt in staged(staging.place, staging.run.job_id):
        if name == staging.name or attempt > at_most:
            continue
        if attempt > staging.run.number:
            raise SupersededError
        _seize(staging.place, name, staging, time.monotonic() + _SEIZE_SECONDS)


def _seize(source: Directory, name: str, staging: Staging, deadline: float) -> None:
    is_staging = targets.STAGING.fullmatch(name) is not None  # another run that was taking over may have moved it
    seized = name if is_staging else uuid.uuid4().hex
    try:
        source.rename(name, staging.own, seized)
    except FileNotFoundError:
        if staging.is_superseded:
            raise
        return  # its run deleted or delivered it just now
    if not is_staging:
        return
    # Its run may have the directory open; its renames fail only once the directory is removed.
    with contextlib.suppress(NotADirectoryError), staging.own.enter(seized) as other:
        while True:
            for entry in other.names():
                _seize(other, entry, staging, deadline)
            try:
                staging.own.remove(seized)
            except OSError as error:
                if error.errno != errno.ENOTEMPTY or time.monotonic() > deadline:
                    raise
            else:
                return
