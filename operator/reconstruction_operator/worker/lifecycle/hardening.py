"""Hardening: protects a worker from other programs, both through Redis and as the same user of the machine."""

from __future__ import annotations

from typing import Any, Final

from celery import bootsteps

from reconstruction_operator import config, privacy

# Celery's options that switch off what workers broadcast to each other: useless without remote control.
_SILENT: Final = {"without_gossip": True, "without_mingle": True, "without_heartbeat": True}


class Hardening(bootsteps.Step):  # type: ignore[misc]  # Celery has no types
    """A bootstep of the worker: created before the pool forks, so that every process of the pool inherits it."""

    def create(self, worker: Any) -> None:
        """Hide the worker's memory; leave out the broadcasts unless the settings allow remote control."""
        privacy.hide_memory()
        if config.settings.WORKER_REMOTE_CONTROL == "off":
            worker.options.update(_SILENT)
