"""Bystander: what this installation does about jobs that another installation manages. It reports them, and ends what it ran."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from reconstruction_operator.controller.kube.cache import Cache
from reconstruction_operator.controller.kube.installation import Installation
from reconstruction_operator.controller.kube.status_writer import StatusWriter
from reconstruction_operator.controller.loop.admission import Admission
from reconstruction_operator.controller.loop.orphans import Orphans
from reconstruction_operator.planning import installations
from reconstruction_operator.planning.types import Job, Plan

_log = logging.getLogger(__name__)


@dataclass(eq=False)
class Bystander:
    """Tells the jobs of this installation from those of others."""

    installation: Installation
    cache: Cache
    writer: StatusWriter
    admission: Admission
    orphans: Orphans
    utc_now: Callable[[], datetime] = lambda: datetime.now(UTC)

    def marked(self, job: Job, made: Plan, *, admitted: bool) -> Plan:
        """The plan of a job of ours, which stores our mark first."""
        return installations.marked(job, made, self.installation.mark, admitted=admitted)

    def leave_alone(self, jobs: Iterable[Job]) -> None:
        """Jobs of another installation: nothing is done for them, which their status reports once."""
        for job in jobs:
            self.admission.forget(job.key)
            made = installations.left_alone(job, self.installation.mark, self.utc_now())
            self.writer.offer(job, made.status, made.events)

    def release(self, now: float) -> None:
        """End what runs here of the jobs that another installation has taken over."""
        taken = [job.key.job_id for job in self.cache.take_handed_over() if self.installation.gave(job)]
        if taken:
            _log.info("Another installation has taken over %d jobs: what runs of them here is stopped", len(taken))
            self.orphans.add_handed_over(taken, now)
