"""Planner: plans the observed jobs of a batch, and admits those that can be dispatched at once."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from reconstruction_operator.api.identity import JobKey
from reconstruction_operator.api.status import InstallationMark, Phase
from reconstruction_operator.controller.kube.cache import Cache
from reconstruction_operator.controller.kube.work_queue import Turn
from reconstruction_operator.controller.loop.admission import Admission
from reconstruction_operator.controller.loop.preflight import Preflight
from reconstruction_operator.controller.redis_view.catalogue import Catalogue
from reconstruction_operator.planning import installations
from reconstruction_operator.planning.places import UNKNOWN
from reconstruction_operator.planning.plan import Draft, complete, draft
from reconstruction_operator.planning.types import Job, Observation, Plan, Timing
from reconstruction_operator.telemetry import metrics

_log = logging.getLogger(__name__)

_NOT_BEGUN: Final = (None, Phase.PENDING, Phase.QUEUED)


@dataclass(eq=False)
class Planner:
    """Plans jobs with the help of admission. A job that cannot be planned is passed to `failed` and skipped."""

    cache: Cache
    admission: Admission
    preflight: Preflight
    catalogue: Catalogue
    mark: InstallationMark
    timing: Timing
    failed: Callable[[JobKey], None]
    monotonic: Callable[[], float]

    def plan(self, observed: Iterable[tuple[Job, Observation]], now: datetime) -> list[tuple[Job, Plan]]:
        """Plan these jobs, and dispatch those that admission admits. Other admitted jobs follow in the next round."""
        plans: dict[JobKey, Plan] = {}
        jobs, waiting = [], []
        for job, seen in observed:
            jobs.append(job)
            with self._skipping(job):
                drafted = self._draft(job, seen, now)
                if drafted.wants_dispatch:
                    self.admission.wants(job)
                    waiting.append((job, drafted))
                else:
                    plans[job.key] = self._complete(job, drafted)
        admitted = self.admission.admit(self.monotonic())
        here = set(admitted).intersection(job.key for job in jobs)
        for job, drafted in waiting:
            with self._skipping(job):
                plans[job.key] = self._complete(job, drafted, admitted=job.key in here)
        for key in admitted:
            if key not in here:
                self.cache.enqueue(key, Turn.IN_FLIGHT)  # before those that only wait
        return [(job, plans[job.key]) for job in jobs if job.key in plans]

    def report_contested(self, jobs: Iterable[Job]) -> list[tuple[Job, Plan]]:
        """Plan the report, once for each of these jobs, that another installation manages it. Nothing else is done for them."""
        reports = []
        for job in jobs:
            self.admission.forget(job.key)
            with self._skipping(job):
                report = installations.contested_report(job, self.mark, datetime.now(UTC))
                reports += [(job, report)] if report.events else []
        return reports

    def enqueue_admitted(self) -> None:
        """Enqueue the waiting jobs that can be dispatched, though no job has changed. At most once a second."""
        if self.admission.is_due(self.monotonic()):
            for key in self.admission.admit(self.monotonic()):
                self.cache.enqueue(key, Turn.IN_FLIGHT)

    def forget(self, key: JobKey) -> None:
        """Drop a deleted job."""
        self.admission.forget(key)
        self.preflight.forget(key)

    def _draft(self, job: Job, seen: Observation, now: datetime) -> Draft:
        more = self._observed_elsewhere(job)
        seen = replace(seen, **more) if more else seen  # most jobs need no copy, and a copy is slow
        return draft(installations.marked(job, self.mark), seen, now, self.timing)

    def _complete(self, job: Job, drafted: Draft, *, admitted: bool = False) -> Plan:
        ours, seen = drafted.case.job, drafted.case.seen
        plan = installations.settled(job, ours, complete(drafted, admitted=admitted), self.mark)
        self.admission.planned(job, plan, held=bool(seen.no_model) and plan.status.phase is Phase.PENDING)
        self.preflight.planned(job, plan.status)
        return plan

    @contextlib.contextmanager
    def _skipping(self, job: Job) -> Iterator[None]:
        """Pass the job to `failed` if it cannot be planned: one bad job never stops the others."""
        try:
            yield
        except Exception:  # noqa: BLE001  # as above
            metrics.RECONCILE_ERRORS.labels("plan").inc()
            _log.exception("%s could not be planned", job.key)
            self.admission.forget(job.key)
            self.failed(job.key)

    def _observed_elsewhere(self, job: Job) -> dict[str, Any]:
        """Return the fields of an Observation that other components know of a waiting job, without empty ones."""
        fields: dict[str, Any] = {}
        refused = self.admission.refusal(job)
        if job.status.phase in _NOT_BEGUN:
            refused = refused or (None if job.sent else self.catalogue.refusal(job))
            fields = {"no_model": self.catalogue.missing(job), "checked": self.preflight.found(job.key)}
        place = self.admission.place_of(job.key)
        fields |= {"place": None if place == UNKNOWN else place, "refused": refused}
        return {name: value for name, value in fields.items() if value}
