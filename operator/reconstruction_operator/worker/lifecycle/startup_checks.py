"""Start-up checks: a worker refuses to start if one job could read or overwrite the folder of another."""

from __future__ import annotations

import sys
from typing import Any

from celery import bootsteps

from reconstruction_operator.telemetry import misspelt
from reconstruction_operator.transfer import limits


class StartupChecks(bootsteps.Step):  # type: ignore[misc]  # Celery has no types
    """A bootstep of the worker, created before any other part of the worker starts."""

    def create(self, worker: Any) -> None:  # noqa: ARG002  # Celery's signature
        """Warn of misspelt settings; exit if an input or output root overlaps with the folder of all jobs."""
        misspelt.warn()
        problem = limits.overlap_with_jobs_dir()
        if problem:
            sys.exit(f"This worker does not start: {problem}")
