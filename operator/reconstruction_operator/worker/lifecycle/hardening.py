"""Hardening: protects a worker from other programs, which may use the same Redis or run as the same user."""

from __future__ import annotations

from typing import Any, Final

from celery import bootsteps

from reconstruction_operator import config, privacy

# Celery's options that switch off broadcasts between workers, which are useless without remote control.
_SILENT: Final = {"without_gossip": True, "without_mingle": True, "without_heartbeat": True}


class Hardening(bootsteps.Step):  # type: ignore[misc]  # Celery has no types
    """A bootstep of the worker. It is created before the pool forks, so that every process of the pool inherits the protection."""

    def create(self, worker: Any) -> None:
        """Hide the worker's memory; switch the broadcasts off unless the settings allow remote control."""
        privacy.hide_memory()
        if config.settings.WORKER_REMOTE_CONTROL == "off":
            worker.options.update(_SILENT)
