"""Occupancy: what an output address holds before a run delivers there."""

from __future__ import annotations

from dataclasses import dataclass

from reconstruction_operator.contract.manifest import Manifest


@dataclass(frozen=True, slots=True)
class Occupancy:
    """A result of this job (`is_own`), or of an earlier job of its namespace and name, or none."""

    is_own: bool = False
    earlier: Manifest | None = None
