"""Delivering run: identifies the run that delivers or withdraws a result."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from reconstruction_operator.api.identity import AttemptRef
from reconstruction_operator.contract.attempt import SupersededError

EVERY_ATTEMPT: Final = 2**31 - 1  # above any attempt number


@dataclass(frozen=True, slots=True)
class DeliveringRun:
    """A run that delivers or withdraws. It is superseded once its workspace `folder` is deleted; None: no check.

    `predecessors`: earlier jobs whose copies it may replace, because its job reuses their result.
    """

    attempt: AttemptRef
    folder: Path | None
    predecessors: frozenset[str] = frozenset()

    @property
    def job_id(self) -> str:
        """The id of its job."""
        return self.attempt.job_id

    @property
    def number(self) -> int:
        """The number of its attempt; 0: a bare task."""
        return self.attempt.number

    @property
    def is_superseded(self) -> bool:
        """Whether the run's workspace is deleted."""
        return self.folder is not None and not self.folder.exists()

    def check(self) -> None:
        """Raise SupersededError if the run is superseded."""
        if self.is_superseded:
            raise SupersededError
