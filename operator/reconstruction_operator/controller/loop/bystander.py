"""Bystander: handles jobs that another installation manages. It reports them, and stops the attempts that it ran for them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from reconstruction_operator.controller.kube.cache import Cache
from reconstruction_operator.controller.kube.installation import Installation
from reconstruction_operator.controller.loop.admission import Admission
from reconstruction_operator.controller.loop.orphans import Orphans
from reconstruction_operator.controller.writes.status_writer import StatusWriter
from reconstruction_operator.planning import installations
from reconstruction_operator.planning.types import Job
from reconstruction_operator.telemetry import metrics

_log = logging.getLogger(__name__)


@dataclass(eq=False)
class Bystander:
    """Leaves alone the jobs of other installations."""

    installation: Installation
    cache: Cache
    writer: StatusWriter
    admission: Admission
    orphans: Orphans
    utc_now: Callable[[], datetime] = lambda: datetime.now(UTC)

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
            if made.events:
                self.writer.offer(job, made.status, made.events)

    def release(self, now: float) -> None:
        """Stop our attempts of jobs that another installation has marked as its own."""
        taken = [job.key.job_id for job in self.cache.take_handed_over() if self.installation.was_taken_over(job)]
        if taken:
            _log.info(
                "Another installation manages %d jobs: attempts of them that this one sent are stopped", len(taken)
            )
            self.orphans.add_handed_over(taken, now)
