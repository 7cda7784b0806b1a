"""Delivering run: identifies the run that delivers or withdraws a result."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

EVERY_ATTEMPT: Final = 2**31 - 1  # above any attempt number


@dataclass(frozen=True, slots=True)
class Run:
    """A run that delivers or withdraws. It is superseded once its workspace `folder` is deleted; None: no check.

    `predecessors`: earlier jobs whose copies it may replace, because its job reuses their result.
    """

    job_id: str
    attempt: int
    folder: Path | None
    predecessors: frozenset[str] = frozenset()
