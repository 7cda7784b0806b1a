"""Planner: plans the observed jobs of a batch, and admits those that can be dispatched at once."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any, Final

from reconstruction_operator.api.identity import JobKey
from reconstruction_operator.api.status import InstallationMark, Phase
from reconstruction_operator.controller.kube.cache import Cache
from reconstruction_operator.controller.loop.admission import Admission
from reconstruction_operator.controller.loop.preflight import Preflight
from reconstruction_operator.controller.redis_view.catalogue import Catalogue
from reconstruction_operator.planning import installations, plan
from reconstruction_operator.planning.types import Job, Observation, Plan, Timing
from reconstruction_operator.telemetry import metrics

_log = logging.getLogger(__name__)

_NOT_BEGUN: Final = (None, Phase.PENDING, Phase.QUEUED)


@dataclass(frozen=True, slots=True)
class Planned:
    """A job, the observation, and the plan that follows from both."""

    job: Job
    seen: Observation
    plan: Plan


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

    def plan(self, observed: Iterable[tuple[Job, Observation]], now: datetime) -> list[Planned]:
        """Plan these jobs, and dispatch those that admission admits."""
        return self._admit(self._plan(observed, now), now)

    def clear(self) -> None:
        """Drop all state: a new tenure begins."""
        self.preflight.clear()

    def forget(self, key: JobKey) -> None:
        """Drop a deleted job."""
        self.admission.forget(key)
        self.preflight.forget(key)

    def _plan(self, observed: Iterable[tuple[Job, Observation]], now: datetime) -> list[Planned]:
        planned = []
        for job, one in observed:
            admitted = self.admission.take(job.key)
            known = self._observed_elsewhere(job)
            seen = replace(one, **known) if known else one  # most jobs need no copy, and a copy is slow
            make = partial(plan.plan, seen=seen, now=now, timing=self.timing, admitted=admitted)
            try:
                made = installations.marked(job, self.mark, make)
            except Exception:  # noqa: BLE001  # one bad job never stops the others
                metrics.RECONCILE_ERRORS.labels("plan").inc()
                _log.exception("%s could not be planned", job.key)
                self.failed(job.key)
                continue
            self.admission.planned(job, made, held=bool(seen.no_model) and made.status.phase is Phase.PENDING)
            self.preflight.planned(job, made.status)
            planned.append(Planned(job, one, made))
        return planned

    def _observed_elsewhere(self, job: Job) -> dict[str, Any]:
        """Return the fields of an Observation that other components know of a waiting job, without empty ones."""
        known: dict[str, Any] = {}
        refused = self.admission.refusal(job)
        if job.status.phase in _NOT_BEGUN:
            refused = refused or (None if job.sent else self.catalogue.refusal(job))
            known = {"no_model": self.catalogue.missing(job), "checked": self.preflight.found(job.key)}
        known |= {"waits_for": self.admission.wait_of(job.key), "refused": refused}
        return {name: value for name, value in known.items() if value}

    def _admit(self, planned: list[Planned], now: datetime) -> list[Planned]:
        """Plan again the jobs that can be dispatched at once, from the same observation. Others follow in the next round."""
        if not (self.admission.has_new_room or any(one.plan.wants_dispatch for one in planned)):
            return planned
        admitted = set(self.admission.admit(self.monotonic()))
        here = [one for one in planned if one.job.key in admitted]
        for key in admitted.difference(one.job.key for one in here):
            self.cache.enqueue_admitted(key)
        again = {one.job.key: one for one in self._plan(((one.job, one.seen) for one in here), now)}
        return [again.get(one.job.key, one) for one in planned]
