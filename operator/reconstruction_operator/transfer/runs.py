"""Delivering run: identifies the run that delivers or withdraws a result, and describes what it finds at the address."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from reconstruction_operator.contract.manifest import Manifest

EVERY_ATTEMPT: Final = 2**31 - 1  # above any attempt number


@dataclass(frozen=True, slots=True)
class Run:
    """A run that delivers or withdraws. It is superseded once its workspace `folder` is deleted; None: no check.

    `replaced`: earlier jobs whose copies it may replace, because its job reuses their result.
    """

    job_id: str
    attempt: int
    folder: Path | None
    replaced: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Occupancy:
    """What an output address holds: a result of this job (`is_own`), of an earlier job of its namespace and name, or none."""

    is_own: bool = False
    earlier: Manifest | None = None
