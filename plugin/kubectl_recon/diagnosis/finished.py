"""Diagnosis of finished jobs."""

from __future__ import annotations

from reconstruction_operator.api.verdict import Verdict

from kubectl_recon.diagnosis import retries
from kubectl_recon.diagnosis.facts import Answer, Facts
from kubectl_recon.diagnosis.failures import kind_of
from kubectl_recon.jobs.attention import result_text
from kubectl_recon.jobs.times import duration_text, seconds_between


def succeeded(facts: Facts) -> Answer:
    """Explain a succeeded job: with a good result, a poor one, or a simulation."""
    job = facts.job
    took = duration_text(seconds_between(job.time("startTime"), job.time("completionTime")))
    place = f"the result is at {job.output_uri}" if job.output_uri else ""
    details = tuple(filter(None, (place, f"it took {took}" if took else "", _expiry(facts))))
    words = result_text(job)
    if job.verdict == Verdict.SIMULATED:
        cause = (
            "the model placeholder simulates" if job.model == "placeholder" else f"model {job.model} is not installed"
        )
        return Answer(
            "simulated",
            f"It succeeded, but the result is a simulation, not made from the photos: {cause}.",
            details=details,
            actions=retries.listed(
                retries.advised(facts, "reconstruct the photos", "--model photogrammetry"),
                None
                if job.model == "placeholder"
                else f"or ask an administrator for workers that have {job.model} (RECONSTRUCTION_SIMULATE=never)",
            ),
        )
    if job.verdict == Verdict.WARNING:
        return Answer(
            "poor-result",
            f"It succeeded, but the result is of poor quality{f': {words}' if words else ''}.",
            details=(job.message, *details),
            actions=(f"check whether it is usable: kubectl recon results {job.name}", retries.NEW_PHOTOS),
        )
    return Answer(
        "succeeded",
        f"It succeeded, with a mesh of {words}." if words else "It succeeded.",
        details=details,
        actions=(f"download it: kubectl recon results {job.name}",),
        well=True,
    )


def cancelled(facts: Facts) -> Answer:
    """Explain a cancelled job."""
    by = tuple(event.text for event in facts.events if event.reason == "CancelConfirmed")[-1:]
    return Answer(
        "cancelled",
        "It was cancelled in two steps, and its files are deleted.",
        details=by or tuple(filter(None, (_ended_ago(facts),))),
        actions=(retries.again(facts, "run it again"),),
    )


def failed(facts: Facts) -> Answer:
    """Explain a failed job. The reason determines the advice."""
    job = facts.job
    kind = kind_of(job.failure_reason)
    attempts = f" after {job.attempt} attempts" if job.attempt > 1 else ""
    details = [f"{kind.text[0].upper()}{kind.text[1:]}", _ended_ago(facts)] if job.failure_message else []
    if job.output_uri:
        details.append(f"the result exists, at {job.output_uri}")
    return Answer(
        kind.situation,
        f"It failed{attempts} with {job.failure_reason or 'no reason'}: "
        f"{(job.failure_message or kind.text).rstrip('.')}.",
        details=tuple(filter(None, details)),
        actions=kind.actions(facts),
        more={"reason": job.failure_reason, "attempts": job.attempt},
    )


def _expiry(facts: Facts) -> str:
    ttl = facts.job.spec.get("ttlSecondsAfterFinished")
    ended = facts.job.time("completionTime")
    if not isinstance(ttl, int) or ended is None:
        return ""
    return f"it will be deleted with its files in {duration_text(max(0, ttl - facts.seconds_since(ended)))}"


def _ended_ago(facts: Facts) -> str:
    ended = facts.job.time("completionTime")
    return f"it ended {facts.ago(ended)} ago" if ended else ""
