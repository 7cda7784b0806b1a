"""Run: the part of a worker that delivers or withdraws a result."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

EVERY_ATTEMPT: Final = 2**31 - 1  # above any attempt number


@dataclass(frozen=True, slots=True)
class Run:
    """The run that delivers or withdraws. It is overtaken once its workspace `folder` is deleted; None: no check.

    `replaced`: earlier jobs whose copies it may replace, since it takes over their result.
    """

    job_id: str
    attempt: int
    folder: Path | None
    replaced: frozenset[str] = frozenset()
