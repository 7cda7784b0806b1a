"""Bystander: handles jobs that another installation manages. It reports them, and stops the attempts that it ran for them."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from reconstruction_operator.controller.kube.cache import Cache
from reconstruction_operator.controller.kube.installation import Installation
from reconstruction_operator.controller.loop.admission import Admission
from reconstruction_operator.controller.loop.orphans import Orphans
from reconstruction_operator.controller.writes.status_writer import StatusWriter
from reconstruction_operator.planning import installations
from reconstruction_operator.planning.types import Job, Plan
from reconstruction_operator.telemetry import metrics

_log = logging.getLogger(__name__)

_REPORTS_AT_MOST: Final = 10  # reports on one job
_JOBS_AT_MOST: Final = 10_000  # jobs whose reports are counted


@dataclass(eq=False)
class Bystander:
    """Separates the jobs of this installation from those of others."""

    installation: Installation
    cache: Cache
    writer: StatusWriter
    admission: Admission
    orphans: Orphans
    utc_now: Callable[[], datetime] = lambda: datetime.now(UTC)
    _reports: Counter[str] = field(default_factory=Counter, init=False)  # by uid

    def marked(self, job: Job, made: Plan, *, admitted: bool) -> Plan:
        """Return the plan of one of our jobs, changed to store our mark first."""
        return installations.marked(job, made, self.installation.mark, admitted=admitted)

    def report_contested(self, jobs: Iterable[Job]) -> None:
        """Report once in the status of each of these jobs that another installation manages it, and do nothing else."""
        for job in jobs:
            self.admission.forget(job.key)
            try:
                made = installations.contested_report(job, self.installation.mark, self.utc_now())
            except Exception:  # noqa: BLE001  # one bad job never stops the others of its round
                metrics.RECONCILE_ERRORS.labels("plan").inc()
                _log.exception("%s could not be planned", job.key)
                continue
            if made.events and self._may_report(job.key.uid):
                self.writer.offer(job, made.status, made.events)

    def _may_report(self, uid: str) -> bool:
        """Whether the job may be reported again: an overwritten report is repeated, but an old manager removes each one."""
        if len(self._reports) > _JOBS_AT_MOST:
            self._reports.clear()
        self._reports[uid] += 1
        return self._reports[uid] <= _REPORTS_AT_MOST

    def release(self, now: float) -> None:
        """Stop our attempts of jobs that another installation has taken over."""
        taken = [job.key.job_id for job in self.cache.take_handed_over() if self.installation.was_taken_over(job)]
        if taken:
            _log.info("Another installation has taken over %d jobs: their attempts here are stopped", len(taken))
            self.orphans.add_handed_over(taken, now)
