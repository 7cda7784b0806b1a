"""Withdrawal process: deletes one job's copies at one address in a process, since a call on a dead mount never returns.

The worker's side starts this module as a program, and kills it if it does not finish.

Hung mounts: each process of the worker avoids a folder for five minutes in which a withdrawal made no progress. A slow
withdrawal does make progress: its tenant may have filled the folder with any number of files, and other tenants' copies
must not wait for that.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from reconstruction_operator import config
from reconstruction_operator.transfer import programs, uris
from reconstruction_operator.transfer.outputs import Target, target_of
from reconstruction_operator.transfer.programs import HungError, Program
from reconstruction_operator.transfer.runs import Run

_PROGRAM: Final = "reconstruction_operator.worker.withdrawal"
_SECONDS: Final = 60.0
_IDLE_SECONDS: Final = 15.0  # in a folder; a store has timeouts of its own
_BACKOFF_SECONDS: Final = 300.0

_hung: Final[dict[Path, tuple[float, Program | None]]] = {}
"""By folder: the end of its backoff (monotonic time), and the program that hangs there although it was killed."""


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """The copies to delete: those that attempts of the job up to that of `run` have delivered to `uri`."""

    uri: str
    run: Run
    copy: bool = True  # also the copy that readers see, not only partial deliveries

    @property
    def target(self) -> Target:
        """Where the copies are."""
        return target_of(self.uri, self.run.attempt.job.namespace)

    def perform(self) -> None:
        """Delete the copies.

        Idempotent: it may be repeated after a kill. Raises OSError, SupersededError or StorageError.
        """
        self.target.withdraw(self.run, copy=self.copy)


def perform(withdrawal: Withdrawal) -> None:
    """Carry out the withdrawal in a process, which is killed if it takes too long; the next order continues it.

    Raises OSError, SupersededError or StorageError as `Withdrawal.perform`; TimeoutError, an OSError, if it took too
    long; HungError, a TimeoutError, if it needs a folder that hangs.
    """
    path = withdrawal.target.path
    hung = None if path is None else _hung_above(path)
    if hung is not None:
        raise HungError(f"{path} is skipped for now: a deletion in {hung} made no progress")
    program, is_hung = Program.start(_PROGRAM, credentials=path is None), False
    try:
        program.ask(withdrawal, seconds=_SECONDS, idle_seconds=math.inf if path is None else _IDLE_SECONDS)
    except TimeoutError as error:
        is_hung = isinstance(error, HungError)
        raise type(error)(f"{uris.redacted(withdrawal.uri)}: {error}") from None
    finally:  # also after a signal of a time limit
        left = None if program.end() else program
        if path is not None and (is_hung or left):
            _hung[_avoided(path, left)] = (time.monotonic() + _BACKOFF_SECONDS, left)


def _hung_above(path: Path) -> Path | None:
    """Return the folder above the path that must not be accessed now; None if there is none."""
    for folder, (until, left) in dict(_hung).items():
        if path.is_relative_to(folder) and (until > time.monotonic() or (left is not None and left.running)):
            return folder
    return None


def _avoided(path: Path, left: Program | None) -> Path:
    """Return the folder to avoid: with a program `left` behind the whole output root, since such programs must not
    accumulate.
    """
    roots = (Path(root) for root in config.settings.OUTPUT_ROOTS) if left else ()
    return next((root for root in roots if path.is_relative_to(root)), path.parent)


if __name__ == "__main__":
    programs.serve(lambda withdrawal, _progress: withdrawal.perform())
