"""Journal of a fleet: its actions and their times, by job id, on the clock that a benchmark's watch uses."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.fleet.program import NODE
from devcluster.files import CHECKOUT
from devcluster.harness.system import System
from devcluster.waiting import wait_until

_START_SECONDS = 120.0
_FILE = "fleet.journal"


@dataclass(frozen=True)
class Journal:
    """Times of the monotonic clock, by job id."""

    claimed: dict[str, float] = field(default_factory=dict)
    ended: dict[str, float] = field(default_factory=dict)
    reported: dict[str, list[tuple[float, int]]] = field(default_factory=dict)  # (time, percentage)

    def first_report(self, job_id: str, percent: int) -> float | None:
        """Return when the job first reported that percentage."""
        return next((at for at, reported in self.reported.get(job_id, ()) if reported == percent), None)


def start_fleet(system: System, *, slots: int, job_seconds: float) -> None:
    """Start a fleet as the system's process `fleet`, and wait until it is registered."""
    options = {"slots": slots, "job-seconds": job_seconds, "journal": system.folder / _FILE}
    command: list[str | Path] = [sys.executable, "-m", "benchmarks.fleet.program"]
    fleet = system.start_program(
        "fleet", [*command, *(f"--{name}={value}" for name, value in options.items())], PYTHONPATH=str(CHECKOUT)
    )

    def registered() -> bool:
        fleet.check()
        return NODE in system.nodes()

    wait_until(registered, "the fleet to register", timeout_seconds=_START_SECONDS, seen=fleet.log_end)


def read(system: System) -> Journal:
    """Return the journal of the system's fleet so far."""
    whole = (system.folder / _FILE).read_text().rpartition("\n")[0]  # the last line may be incomplete
    journal = Journal()
    for line in whole.splitlines():
        at, what, job_id, percent = json.loads(line)
        if what == "claimed":
            journal.claimed[job_id] = at
        elif what == "ended":
            journal.ended[job_id] = at
        else:
            journal.reported.setdefault(job_id, []).append((at, percent))
    return journal
