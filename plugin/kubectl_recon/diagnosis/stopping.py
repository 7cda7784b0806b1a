"""Diagnosis of jobs that are suspended or being cancelled."""

from __future__ import annotations

from typing import Final

from kubectl_recon.diagnosis.facts import Answer, Facts

_LONG_SECONDS: Final = 60  # a healthy worker stops within seconds of a cancel


def cancelling(facts: Facts) -> Answer | None:
    """Match an unfinished job with a confirmed cancel."""
    job = facts.job
    if not job.cancel_confirmed:
        return None
    since = facts.condition("CancelRequested").since
    if job.phase != "Cancelling":
        return Answer(
            "cancel-not-seen",
            "The cancel is confirmed, but the operator has not handled it yet.",
            actions=("check again in a moment; if nothing changes: kubectl recon doctor",),
        )
    if facts.seconds_since(since) < _LONG_SECONDS:
        return Answer(
            "cancelling",
            "The cancel is confirmed, and the worker is being stopped.",
            details=(job.message,),
            actions=(f"wait for it: kubectl recon wait {job.name} --for cancelled",),
            well=True,
        )
    return Answer(
        "cancel-slow",
        f"The cancel was confirmed {facts.ago(since)} ago, and worker {job.worker or 'of the job'} has not stopped.",
        details=("It is inside a native library, or it is lost, which is detected after a few minutes.",),
        actions=(f"an administrator can read the worker's log: kubectl recon logs {job.name}",),
    )


def suspended(facts: Facts) -> Answer | None:
    """Explain a job whose spec requests a suspension."""
    job = facts.job
    if not job.suspended:
        return None
    resume = f"kubectl recon resume {job.name}"
    if job.phase == "Suspended":
        return Answer(
            "suspended",
            "It is suspended (spec.suspend), so it does not run.",
            actions=(f"resume it, from its last finished stage: {resume}",),
        )
    return Answer(
        "suspending",
        "It is being suspended (spec.suspend): its attempt is being stopped.",
        details=(job.message,),
        actions=(f"resume it: {resume}",),
        well=True,
    )
