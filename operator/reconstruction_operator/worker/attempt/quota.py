"""Quota: ends a run if its namespace takes more of the job volume than it may (NAMESPACE_VOLUME_BYTES).

A thread measures the job's folder every few seconds. If the namespace takes too much, its own kept stages and retained
results go first, if that suffices. Otherwise its newest run ends, and then one after the other if that does not
suffice.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Final

from reconstruction_operator import config
from reconstruction_operator.jobfiles import ledger
from reconstruction_operator.models.interface import ModelFailure
from reconstruction_operator.planning.quotas import limit_of
from reconstruction_operator.telemetry import relay, worker_metrics
from reconstruction_operator.units import megabytes
from reconstruction_operator.worker.attempt.assignment import Assignment

logger = logging.getLogger(__name__)

_PAUSE_SECONDS: Final = 5.0  # between two measurements
_SHARE: Final = 0.02  # of the time, which measuring a folder of very many files may take


class VolumeQuota:
    """The quota that a run watches, from `begin` to `settle`. Without a limit for its namespace it does nothing."""

    def __init__(
        self,
        assignment: Assignment,
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        job, is_bare = assignment.job, assignment.attempt.is_bare
        limit = None if is_bare else limit_of(config.settings.NAMESPACE_VOLUME_BYTES, job.namespace)
        self._job_id, self._namespace = job.uid, job.namespace
        self._limit = limit or 0
        self._clock = clock
        self._now = now
        self._began = 0
        self._exceeded = 0  # consecutive measurements
        self._failure = ""
        self._over = threading.Event()

    def begin(self) -> None:
        """Raise ModelFailure if the namespace has no room for another run; otherwise measure from now on."""
        if not self._limit:
            return
        self._began = int(self._now())
        try:
            exceeded = self._measure()
        except OSError as error:
            logger.warning("the job volume cannot be measured: %s", error)
            exceeded = ""
        if exceeded:
            raise ModelFailure("VOLUME_QUOTA", exceeded)
        threading.Thread(target=self._watch, name="volume quota", daemon=True).start()

    def check(self) -> None:
        """Raise ModelFailure if the run has to end. Never blocks."""
        if self._failure:
            raise ModelFailure("VOLUME_QUOTA", self._failure)

    def end(self) -> None:
        """Measure no more."""
        self._over.set()

    def settle(self) -> None:
        """Enter what the run leaves. A failure is logged."""
        self._over.set()
        if self._limit:
            try:
                ledger.record(self._namespace, self._job_id)
            except OSError as error:
                logger.warning("the files of job %s cannot be measured: %s", self._job_id, error)

    def _watch(self) -> None:
        pause = _PAUSE_SECONDS
        while not self._over.wait(pause):
            begun = self._clock()
            try:
                exceeded = self._measure()
            except OSError as error:
                logger.warning("the job volume cannot be measured: %s", error)
                exceeded = ""
            self._exceeded = self._exceeded + 1 if exceeded else 0
            if exceeded and self._exceeded > ledger.account(self._namespace).begun_after(self._job_id):
                self._failure = exceeded
                return
            pause = max(_PAUSE_SECONDS, (self._clock() - begun) / _SHARE)

    def _measure(self) -> str:
        """Measure the job's folder, and make room in the namespace.

        Return what it takes if that is too much, or an empty text.
        """
        if self._over.is_set():
            return ""
        ledger.record(self._namespace, self._job_id, began=self._began)
        account = ledger.account(self._namespace)
        if account.bytes < self._limit:
            return ""
        if deleted := ledger.expel(self._namespace, self._limit):
            relay.report(worker_metrics.RESULTS_EXPELLED, deleted)
            logger.warning(
                "%s takes too much of the job volume: %d retained results are deleted", self._namespace, deleted
            )
        account = ledger.account(self._namespace)
        if account.bytes < self._limit:
            return ""
        return (
            f"namespace {self._namespace} takes {megabytes(account.bytes)} of the job volume, this job "
            f"{megabytes(account.bytes_of(self._job_id))} of them; it may take {megabytes(self._limit)} "
            "(NAMESPACE_VOLUME_BYTES)"
        )
