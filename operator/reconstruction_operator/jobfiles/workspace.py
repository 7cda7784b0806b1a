"""The folder that one run of an attempt works in, and what earlier ones left."""

from __future__ import annotations

import contextlib
import logging
import uuid
from dataclasses import dataclass
from pathlib import Path

from reconstruction_operator.services import file_handler
from reconstruction_operator.worker.attempt.interruption import InterruptedRunError, Interruption, Kind

logger = logging.getLogger(__name__)

_GONE = ".gone-"
_RUN_LENGTH = 8


@dataclass(frozen=True, slots=True)
class Workspace:
    """`root` is the run's own; everything that it writes lies below."""

    root: Path

    @property
    def photos(self) -> Path:
        """Its copy of the photos."""
        return self.root / "input"

    @property
    def scratch(self) -> Path:
        """The model's."""
        return self.root / "scratch"

    @property
    def output(self) -> Path:
        """Becomes the job's output by one rename."""
        return self.root / "output"

    def discard(self) -> None:
        """Deletes it, and the job's folder if nothing else is in it. Says what cannot be deleted in the log only."""
        try:
            file_handler.delete_tree(self.root)
        except OSError as error:
            logger.warning("could not delete %s: %s", self.root, error)
        for folder in (self.root.parent, self.root.parent.parent):
            with contextlib.suppress(OSError):
                folder.rmdir()


def prepare(job_id: str, task_id: str, attempt: int | None) -> Workspace:
    """A fresh folder for a run of that attempt.

    The folders of earlier attempts are renamed away, to be deleted by `delete_predecessors`: one that still goes on, because
    its worker cannot hear that it was overtaken, fails in its last rename. No two runs have the same name, so that it neither
    writes into its successor's folder nor deletes that. A bare task disturbs nobody but an earlier run of its own.

    Raises:
        InterruptedRunError: a later attempt is there already.
        OSError: the job folders cannot be written.

    """
    attempts = file_handler.attempts_dir(job_id)
    prefix = file_handler.bare_prefix(task_id) if attempt is None else file_handler.attempt_prefix(attempt)
    workspace = Workspace(attempts / f"{prefix}{uuid.uuid4().hex[:_RUN_LENGTH]}")
    # Its own first, and then a look at the others: of two that do so at once, the later attempt's is always seen.
    _make(workspace.root)
    try:
        _take_over(workspace, attempts, prefix, attempt)
    except BaseException:
        workspace.discard()
        raise
    return workspace


def _take_over(workspace: Workspace, attempts: Path, prefix: str, attempt: int | None) -> None:
    others = [one for one in attempts.iterdir() if one != workspace.root]
    if attempt is not None and any(_number(one) > attempt for one in others):
        raise InterruptedRunError(Interruption(Kind.OVERTAKEN))
    for one in others:
        if one.name.startswith(prefix) or (attempt is not None and _number(one) > 0):
            file_handler.set_aside(one, _GONE)
    for folder in (workspace.photos, workspace.scratch, workspace.output):
        folder.mkdir()


def delete_predecessors(job_id: str) -> None:
    """Deletes what was renamed away, once a note says again where earlier runs may have delivered."""
    for one in file_handler.attempts_dir(job_id).glob(f"{_GONE}*"):
        try:
            file_handler.delete_tree(one)
        except OSError as error:
            logger.warning("could not delete %s, which an earlier attempt left: %s", one, error)


def _make(folder: Path) -> None:
    while True:
        folder.parent.mkdir(parents=True, exist_ok=True)
        try:
            folder.mkdir()
        except FileNotFoundError:
            continue  # an attempt that was over has just discarded its own, and the empty folders above it
        return


def _number(folder: Path) -> int:
    """Of the attempt whose run works there; 0 for anything else."""
    digits = folder.name.partition("-")[0]
    return int(digits) if digits.isdecimal() else 0
