"""The rules of holding a Lease, without I/O: who may take it when, and what its next spec is.

As client-go does it: nobody trusts another machine's clock. A candidate takes over when it has seen the same record for
the record's whole duration on its own monotonic clock; the holder counts from before it sent its last successful
renewal, so it always stops before anybody else may begin.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

# Of the duration, in which the holder trusts a renewal: slow clocks and long requests fit in the rest.
HOLDER_MARGIN: Final = 0.8
_START: Final = datetime(2020, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Record:
    """What a Lease says. `version` changes with every write."""

    version: str
    holder: str
    transitions: int
    duration_seconds: float

    @classmethod
    def of(cls, lease: Mapping[str, Any]) -> Record:
        """The record in a Lease's body."""
        spec = lease.get("spec") or {}
        return cls(
            version=str(lease.get("metadata", {}).get("resourceVersion", "")),
            holder=str(spec.get("holderIdentity") or ""),
            transitions=int(spec.get("leaseTransitions") or 0),
            duration_seconds=float(spec.get("leaseDurationSeconds") or 0),
        )


@dataclass(frozen=True, slots=True)
class Sighting:
    """A record, and since when (monotonic) it was seen unchanged."""

    record: Record
    since: float

    def expires(self) -> float:
        """When (monotonic) it may be taken from its holder."""
        return self.since if not self.record.holder else self.since + self.record.duration_seconds

    def updated(self, record: Record, now: float) -> Sighting:
        """With the record that was read at `now`."""
        return self if record == self.record else Sighting(record, now)


def first_transitions(now: datetime) -> int:
    """Where a new Lease starts counting: seconds since 2020, which fit the field's 31 bits until 2088.

    The count is the fence of all writes to Redis, which remembers the highest one. A Lease that somebody deleted must
    not start below what its predecessor had reached, or its holder would be refused; and Leases do not change hands
    every second.
    """
    return max(0, int((now - _START).total_seconds()))


def spec(
    identity: str, duration_seconds: float, transitions: int, now: datetime, acquired: str | None = None
) -> dict[str, Any]:
    """A Lease's spec with `identity` as holder; `acquired` is kept from the first time of an unbroken tenure."""
    return {
        "holderIdentity": identity,
        "leaseDurationSeconds": max(1, math.ceil(duration_seconds)),
        "acquireTime": acquired or _micro(now),
        "renewTime": _micro(now),
        "leaseTransitions": transitions,
    }


def _micro(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
