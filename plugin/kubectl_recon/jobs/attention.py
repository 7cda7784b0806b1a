"""Job summary: the state in a few words, and the order of attention."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final

from reconstruction_operator.api import figures
from reconstruction_operator.api.identity import MANAGER
from reconstruction_operator.api.verdict import Verdict, sentence

from kubectl_recon.jobs.job import Job
from kubectl_recon.jobs.times import duration_text, seconds_between

_PLACE: Final = re.compile(r"place (\d+) or better")
_ORDER: Final = (
    *("Failed", "stuck", "announced", "Cancelling", "Running", "Queued", "Pending", "Suspended"),
    *("foreign", "finished"),
)


def phase_text(job: Job) -> str:
    """Return the phase with a qualifier: `Running, cancel requested`, `Succeeded, simulated`."""
    if foreign(job):
        return "Not managed"
    phase = job.phase or "New"
    if job.cancel_requested and not job.cancel_confirmed and not job.finished:
        return f"{phase}, cancel requested"
    if job.cancel_confirmed and not job.finished and phase != "Cancelling":
        return f"{phase}, cancel confirmed"
    if job.suspended and not job.finished and phase not in ("Suspended", "Cancelling"):
        return f"{phase}, suspending"
    return job.phase_detail if job.finished and job.phase_detail else phase


def foreign(job: Job) -> bool:
    """Return whether another controller manages the job."""
    return bool(job.spec.get("managedBy")) and job.spec.get("managedBy") != MANAGER


def time_text(job: Job, now: datetime) -> str:
    """Return the most relevant time: `4m30s left`, `took 12m`, `waits 3m`."""
    if job.finished:
        started = job.time("startTime")
        took = duration_text(seconds_between(started, job.time("completionTime")))
        return f"took {took}" if took else ""
    if job.eta_seconds is not None:
        return f"{duration_text(job.eta_seconds)} left"
    if job.phase == "Running":
        runs = duration_text(seconds_between(job.time("startTime"), now))
        return f"runs {runs}" if runs else ""
    if job.phase in ("", "Pending", "Queued"):
        return f"waits {duration_text(seconds_between(waits_since(job), now))}"
    return ""


def photos_text(job: Job) -> str:
    """Return how many photos of a running job are aligned, once that is known, and which are left out:
    `22 of 24 photos aligned; left out: IMG_7.jpg, IMG_8.jpg`.
    """
    quality = (job.phase == "Running" and job.status.get("quality")) or {}
    if "registered" not in quality:
        return ""
    aligned = f"{quality['registered']} of {quality.get('images')} photos aligned"
    return "; ".join(filter(None, [aligned, quality.get("leftOutPhotos")]))


def waits_since(job: Job) -> datetime | None:
    """Return the time since which a job waits: its creation, or the end of its last attempt or suspension."""
    ended = job.condition("Running").since if job.attempt > 1 else None
    resumed = job.condition("Suspended")
    since = [job.created, ended, resumed.since if resumed.reason == "Resumed" else None]
    return max((time for time in since if time is not None), default=None)


def place(job: Job) -> int | None:
    """Return the job's place in its queue, rounded up by the operator; None if it is unknown."""
    match = _PLACE.search(job.message) if job.phase == "Pending" else None
    return int(match[1]) if match else None


def reason_text(job: Job) -> str:
    """Return the sentence to a verdict that needs attention, or what the job waits for in a word or two; else an empty
    text.
    """
    if foreign(job):
        return ""
    return sentence(job.status) if job.phase else "not seen by the operator"


def result_text(job: Job) -> str:
    """Return what the numbers of a job's result say; empty without a result."""
    if job.phase != "Succeeded":
        return ""
    return figures.in_words(job.status.get("quality") or {}, str(job.status.get("size") or ""))


def attention(job: Job) -> tuple[int, float, str, str]:
    """Return a sort key: jobs that need attention first, then the newest."""
    if foreign(job):
        kind = "foreign"
    elif job.finished:
        kind = "Failed" if job.phase == "Failed" else "finished"
    elif job.verdict == Verdict.WARNING:
        kind = "stuck"
    elif job.cancel_requested and not job.cancel_confirmed:
        kind = "announced"
    else:
        kind = job.phase or "Pending"
    when = (job.time("completionTime") if job.finished else None) or job.created
    rank = _ORDER.index(kind) if kind in _ORDER else len(_ORDER)
    return rank, -(when.timestamp() if when else 0.0), job.namespace, job.name
