"""The folder that one attempt works in, and what earlier attempts left."""

from __future__ import annotations

import contextlib
import logging
from dataclasses import dataclass
from pathlib import Path

from reconstruction_operator.services import file_handler

logger = logging.getLogger(__name__)

_GONE = ".gone-"


@dataclass(frozen=True, slots=True)
class Workspace:
    """`root` is the attempt's own; everything that it writes lies below."""

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
    """A fresh folder for that attempt.

    The folders of all other attempts are renamed away first, and then deleted: one that still runs, because its worker
    cannot hear that it was overtaken, fails in its last rename. A bare task disturbs nobody.

    Raises:
        OSError: the job folders cannot be written.

    """
    attempts = file_handler.attempts_dir(job_id)
    attempts.mkdir(parents=True, exist_ok=True)
    root = file_handler.bare_dir(job_id, task_id) if attempt is None else file_handler.attempt_dir(job_id, attempt)
    stale = [one for one in attempts.iterdir() if one == root or (attempt is not None and one.name.isdigit())]
    for one in stale:
        file_handler.set_aside(one, _GONE)
    workspace = Workspace(root)
    for folder in (root, workspace.photos, workspace.scratch, workspace.output):
        folder.mkdir()
    for one in attempts.glob(f"{_GONE}*"):
        try:
            file_handler.delete_tree(one)
        except OSError as error:
            logger.warning("could not delete %s, which an earlier attempt left: %s", one, error)
    return workspace
