"""Withdrawal: deletes one job's copies at one address in a process, since a call on a dead mount never returns.

The worker's side starts this module as a program, and kills it if it does not finish.

Hung mounts: each process of the worker avoids a folder for five minutes in which a withdrawal made no progress. A slow
withdrawal does make progress: its tenant may have filled the folder with any number of files, and other tenants' copies
must not wait for that.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from reconstruction_operator import config
from reconstruction_operator.transfer import programs, uris
from reconstruction_operator.transfer.outputs import Target, target_of
from reconstruction_operator.transfer.programs import HungError, Program
from reconstruction_operator.transfer.runs import DeliveringRun


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """The copies to delete: those that attempts of the job up to that of `run` have delivered to `uri`."""

    uri: str
    run: DeliveringRun
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


class HungFolders:
    """The folders in which a withdrawal made no progress; each is avoided for `backoff_seconds`.

    A program that hangs although it was killed extends that until it ends, and to the whole output root: such programs
    must not accumulate.
    """

    def __init__(self, backoff_seconds: float = 300.0, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._backoff_seconds = backoff_seconds
        self._monotonic = monotonic
        self._until: dict[Path, float] = {}  # monotonic time
        self._left: dict[Path, Program] = {}  # the programs that hang there

    def add(self, path: Path, left: Program | None) -> None:
        """Avoid the folder of a copy at `path`; with a program that is `left` behind, its output root."""
        roots = (Path(root) for root in config.settings.OUTPUT_ROOTS) if left else ()
        folder = next((root for root in roots if path.is_relative_to(root)), path.parent)
        self._until[folder] = self._monotonic() + self._backoff_seconds
        if left:
            self._left[folder] = left

    def above(self, path: Path) -> Path | None:
        """Return the folder above the path that must not be accessed now; None if there is none."""
        now = self._monotonic()
        avoided = (folder for folder, until in list(self._until.items()) if until > now or self._hangs(folder))
        return next(filter(path.is_relative_to, avoided), None)

    def _hangs(self, folder: Path) -> bool:
        return folder in self._left and self._left[folder].running


@dataclass(frozen=True, slots=True)
class Withdrawals:
    """How a process of the worker carries out withdrawals: each in a program, which is killed if it takes too long."""

    program: str = "reconstruction_operator.worker.withdrawal"
    seconds: float = 60.0
    idle_seconds: float = 15.0  # in a folder; a store has timeouts of its own
    hung: HungFolders = field(default_factory=HungFolders)

    def perform(self, withdrawal: Withdrawal) -> None:
        """Carry out the withdrawal. After an error the next order continues it.

        Raises OSError, SupersededError or StorageError as `Withdrawal.perform`; TimeoutError, an OSError, if it took
        too long; HungError, a TimeoutError, if it needs a folder that hangs.
        """
        path = withdrawal.target.path
        avoided = None if path is None else self.hung.above(path)
        if avoided is not None:
            raise HungError(f"{path} is skipped for now: a deletion in {avoided} made no progress")
        idle_seconds = math.inf if path is None else self.idle_seconds
        program = Program.start(self.program, credentials=path is None)
        is_hung = False
        try:
            program.ask(withdrawal, seconds=self.seconds, idle_seconds=idle_seconds)
        except TimeoutError as error:
            is_hung = isinstance(error, HungError)
            raise type(error)(f"{uris.redacted(withdrawal.uri)}: {error}") from None
        finally:  # also after a signal of a time limit
            ended = program.end()
            if path is not None and (is_hung or not ended):
                self.hung.add(path, None if ended else program)


WITHDRAWALS: Final = Withdrawals()
"""Those of this process."""


if __name__ == "__main__":
    programs.serve(lambda withdrawal, _progress: withdrawal.perform())
