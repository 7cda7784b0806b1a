"""Ordinary operator: kopf handlers that send the task, and a timer for each job that polls its result.

Run it by `python -m benchmarks.ordinary.operator`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import kopf
from celery.result import AsyncResult

from benchmarks.ordinary.tasks import app, process

_GROUP, _VERSION, _PLURAL = "reconstruction.dev", "v1alpha1", "reconstructionjobs"
_POLL_SECONDS = 1.0
_PHASES = {"PENDING": "Queued", "PROGRESS": "Running", "SUCCESS": "Succeeded", "FAILURE": "Failed"}


@kopf.on.startup()
def configure(settings: kopf.OperatorSettings, **_: Any) -> None:
    """Disable Events, as kopf's documentation advises for many objects."""
    settings.posting.enabled = False


@kopf.on.create(_GROUP, _VERSION, _PLURAL)
def created(spec: Mapping[str, Any], uid: str, patch: kopf.Patch, **_: Any) -> None:
    """Send the task."""
    sent = process.delay(uid, spec["modelType"])
    patch.status["phase"] = "Queued"
    patch.status["taskId"] = sent.id


@kopf.timer(_GROUP, _VERSION, _PLURAL, interval=_POLL_SECONDS)
def poll(status: Mapping[str, Any], patch: kopf.Patch, **_: Any) -> None:
    """Copy the task's state and progress into the status."""
    task = status.get("taskId")
    if not task or status.get("phase") in ("Succeeded", "Failed"):
        return
    result = AsyncResult(task, app=app)
    state = result.state
    patch.status["phase"] = _PHASES.get(state, "Running")
    if state == "PROGRESS":
        patch.status["progress"] = {"percent": result.info["percent"], "step": result.info["step"]}


if __name__ == "__main__":
    kopf.configure()  # logs as `kopf run` does
    kopf.run(clusterwide=True, standalone=True)
