"""Estimates before a job exists: how long each quality would take here, by the speed of recent jobs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import islice
from typing import Any, Final

from kubectl_recon.photos import estimates
from kubectl_recon.photos.estimates import Recent

_MOST_JOBS: Final = 300  # that changed last


def qualities(details: Iterable[bytes], queue: str, photos: int) -> list[dict[str, Any]]:
    """Return name, usual seconds (None: unknown) and description of each quality, for that many photos.

    `details`: of jobs, the newest change first.
    """
    recent = list(_recent(islice(details, _MOST_JOBS), queue))
    return [
        {"name": one.name, "seconds": one.seconds, "gives": one.gives} for one in estimates.expected(photos, recent)
    ]


def _recent(details: Iterable[bytes], queue: str) -> Iterator[Recent]:
    """Yield the jobs of the queue that were computed whole, by one attempt."""
    for detail in details:
        body = json.loads(detail)
        spec, status = body["spec"], body["status"]
        images = (status.get("inputs") or {}).get("images")
        whole = status.get("attempt") == 1 and not status.get("simulated") and not status.get("reusedFrom")
        resumed = (status.get("progress") or {}).get("resumedFrom")
        is_photogrammetry = spec.get("modelType", "photogrammetry") == "photogrammetry"
        if not (whole and images and is_photogrammetry and not resumed) or spec.get("queue", "celery") != queue:
            continue
        try:
            took = datetime.fromisoformat(status["completionTime"]) - datetime.fromisoformat(status["startTime"])
        except (KeyError, TypeError, ValueError):
            continue
        yield Recent(int(images), spec.get("parameters") or {}, took.total_seconds())
