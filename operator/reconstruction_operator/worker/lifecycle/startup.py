"""Start-up: protects a worker from other programs and jobs from each other, before any other part
of the worker starts.
"""

from __future__ import annotations

import sys
from typing import Any, Final

from celery import bootsteps

from reconstruction_operator import config, privacy
from reconstruction_operator.telemetry import misspelt
from reconstruction_operator.transfer import limits

# Celery's options that switch off broadcasts between workers, which are useless without remote control.
_SILENT: Final = {"without_gossip": True, "without_mingle": True, "without_heartbeat": True}


class Startup(bootsteps.Step):  # type: ignore[misc]  # Celery has no types
    """A bootstep of the worker.

    It is created before the pool forks, so that every process of the pool inherits the protection.
    """

    def create(self, worker: Any) -> None:
        """Hide the worker's memory; switch the broadcasts off unless the settings allow remote control.

        Warn of misspelt settings; exit if an input or output root overlaps with the folder of all jobs.
        """
        privacy.hide_memory()
        misspelt.warn()
        if problem := limits.overlap_with_jobs_dir():
            sys.exit(f"This worker does not start: {problem}")
        if config.settings.WORKER_REMOTE_CONTROL == "off":
            worker.options.update(_SILENT)
