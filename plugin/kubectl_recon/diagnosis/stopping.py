"""Jobs that are suspended or being cancelled."""

from __future__ import annotations

from typing import Final

from kubectl_recon.diagnosis.facts import Answer, Facts

_LONG_SECONDS: Final = 60  # a worker that is well notices a cancel within seconds


def cancelling(facts: Facts) -> Answer | None:
    """Step two is stored, and the job is not over."""
    job = facts.job
    if not job.cancel_confirmed:
        return None
    since = facts.condition("CancelRequested").since
    if job.phase != "Cancelling":
        return Answer(
            "cancel-not-seen",
            "The cancel is confirmed, and the operator has not answered it yet.",
            actions=("look again in a moment; if it stays: kubectl recon doctor",),
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
        details=("It is busy inside a native library, or lost: a lost worker is noticed after a few minutes.",),
        actions=(f"look at the worker's log: kubectl recon logs {job.name}",),
    )


def suspended(facts: Facts) -> Answer | None:
    """spec.suspend is true."""
    job = facts.job
    if not job.suspended:
        return None
    resume = f"kubectl recon resume {job.name}"
    if job.phase == "Suspended":
        return Answer(
            "suspended",
            "It is suspended (spec.suspend), so nothing of it runs.",
            actions=(f"let it run, from the last stage that it had finished: {resume}",),
        )
    return Answer(
        "suspending",
        "It is being suspended (spec.suspend): its attempt is being stopped.",
        details=(job.message,),
        actions=(f"let it run again: {resume}",),
        well=True,
    )
