"""Planner: plans the observed jobs of a batch, and admits those that can be dispatched at once."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from reconstruction_operator.api.status import InstallationMark, Phase
from reconstruction_operator.controller.entry import Entry, Rank
from reconstruction_operator.controller.kube.cache import Cache
from reconstruction_operator.controller.loop.admission import Admission
from reconstruction_operator.controller.loop.preflight import Preflight
from reconstruction_operator.controller.redis_view.catalogue import Catalogue
from reconstruction_operator.planning import installations
from reconstruction_operator.planning.case import Case
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
    failed: Callable[[Entry], None]
    monotonic: Callable[[], float]

    def plan(self, observed: Iterable[tuple[Entry, Job, Observation]], now: datetime) -> list[tuple[Entry, Job, Plan]]:
        """Plan these jobs as they were when they were observed, and dispatch those that admission admits.

        Other admitted jobs follow in the next round.
        """
        plans: dict[Entry, Plan] = {}
        jobs: dict[Entry, Job] = {}
        waiting = []
        for entry, job, seen in observed:
            if entry not in self.cache:
                continue  # deleted while it was observed: it would wait for ever
            jobs[entry] = job
            with self._skipping(entry):
                drafted = self._draft(entry, job, seen, now)
                if drafted.wants_dispatch:
                    self.admission.wants(entry)
                    waiting.append((entry, drafted))
                else:
                    plans[entry] = self._complete(entry, drafted)
        admitted = self.admission.admit(self.monotonic())
        here = jobs.keys() & admitted
        for entry, drafted in waiting:
            with self._skipping(entry):
                plans[entry] = self._complete(entry, drafted, admitted=entry in here)
        for entry in admitted:
            if entry not in here:
                self.cache.enqueue(entry, Rank.ACTIVE)  # before those that only wait
        return [(entry, job, plans[entry]) for entry, job in jobs.items() if entry in plans]

    def report_contested(self, entries: Iterable[Entry]) -> list[tuple[Entry, Plan]]:
        """Plan the report, once for each of these jobs, that another installation manages it.

        Nothing else is done for them.
        """
        reports = []
        for entry in entries:
            self.admission.discard(entry)
            with self._skipping(entry):
                report = installations.contested_report(entry.job, self.mark, datetime.now(UTC))
                reports += [(entry, report)] if report.events else []
        return reports

    def enqueue_admitted(self) -> None:
        """Enqueue the waiting jobs that can be dispatched, though no job has changed. At most once a second."""
        if self.admission.is_due(self.monotonic()):
            for entry in self.admission.admit(self.monotonic()):
                self.cache.enqueue(entry, Rank.ACTIVE)

    def _draft(self, entry: Entry, job: Job, seen: Observation, now: datetime) -> Draft:
        return draft(job, self._with_waits(entry, job, seen), now, self.timing)

    def _with_waits(self, entry: Entry, job: Job, seen: Observation) -> Observation:
        """Return the observation with what other components know of a waiting job."""
        refused = self.admission.refusal(entry)
        place, checked, no_model = entry.place, None, ""
        if seen.is_between_legs(job):
            no_model = self.catalogue.lacking(_in_leg(job, seen, self.timing))
        elif job.status.phase in _NOT_BEGUN:
            refused = refused or (None if job.sent else self.catalogue.refusal(job))
            checked, no_model = entry.checked, self.catalogue.lacking(job)
        if place == UNKNOWN and not (refused or checked or no_model):
            return seen  # most jobs need no copy, and a copy is slow
        return replace(seen, refused=refused, place=place, checked=checked, no_model=no_model)

    def _complete(self, entry: Entry, drafted: Draft, *, admitted: bool = False) -> Plan:
        plan = complete(drafted, self.mark, admitted=admitted)
        held = bool(drafted.case.observed.no_model) and plan.status.phase is Phase.PENDING
        self.admission.planned(entry, plan, held=held)
        self.preflight.planned(entry, plan.status)
        return plan

    @contextlib.contextmanager
    def _skipping(self, entry: Entry) -> Iterator[None]:
        """Pass the job to `failed` if it cannot be planned: one bad job never stops the others."""
        try:
            yield
        except Exception:  # noqa: BLE001  # as above
            metrics.RECONCILE_ERRORS.labels("plan").inc()
            _log.exception("%s could not be planned", entry.key)
            self.admission.discard(entry)
            self.failed(entry)


def _in_leg(job: Job, seen: Observation, timing: Timing) -> Job:
    """Return the job in its newest leg, which its status may not show yet."""
    leg = Case(job, seen, job.created, timing).leg
    return replace(job, status=replace(job.status, leg=leg))
