"""Diagnosis of running jobs: normal, without reports, or too slow for the deadline."""

from __future__ import annotations

from typing import Final

from kubectl_recon.diagnosis.facts import Answer, Facts
from kubectl_recon.jobs.times import duration_text, parse_time

_SILENT_SECONDS: Final = 600  # without a report; even long steps report every few seconds


def awaiting_worker(facts: Facts) -> Answer:
    """Explain a job whose record Redis lost while it ran."""
    return Answer(
        "redis-lost-data",
        f"Redis lost its data; worker {facts.job.worker or 'of the job'} may register the job again within a minute.",
        details=(facts.job.message,),
        actions=("wait: if the worker does not register, another attempt follows and no failure is counted",),
    )


def stopping(facts: Facts) -> Answer:
    """Explain an attempt that is being stopped: for a deadline, or because its worker is lost."""
    return Answer(
        "stopping",
        f"The attempt on {facts.job.worker or 'its worker'} is being stopped, or its worker is lost.",
        details=(facts.condition("Running").message or facts.job.message,),
        actions=(f"wait: kubectl recon watch {facts.job.name}",),
    )


def silent(facts: Facts) -> Answer | None:
    """Explain a running job without a recent report."""
    job = facts.job
    reported = parse_time(job.progress.get("lastUpdateTime"))
    if reported is None or facts.seconds_since(reported) < _SILENT_SECONDS:
        return None
    return Answer(
        "silent",
        f"It runs on {job.worker}, and has reported nothing for {facts.ago(reported)}: the step "
        f"{job.step} takes long for "
        "these photos, or the model hangs.",
        details=(f"at {job.percent} %, started {facts.ago(job.time('startTime'))} ago",),
        actions=(
            f"an administrator can read its log: kubectl recon logs {job.name}",
            f"restart it on another worker: kubectl recon suspend {job.name}",
            f"and once it is suspended: kubectl recon resume {job.name}",
        ),
        more={"silentSeconds": facts.seconds_since(reported)},
    )


def too_late(facts: Facts) -> Answer | None:
    """Explain a running job that will exceed its deadline."""
    job = facts.job
    limit = job.spec.get("activeDeadlineSeconds")
    started = job.time("startTime")
    left = job.eta_seconds
    if not isinstance(limit, int) or started is None or left is None:
        return None
    remaining = limit - facts.seconds_since(started)
    if left <= remaining:
        return None
    longer = f'{{"spec":{{"activeDeadlineSeconds":{limit + 2 * left}}}}}'
    return Answer(
        "deadline-near",
        f"It needs about {duration_text(left)} more, and spec.activeDeadlineSeconds ends it in "
        f"{duration_text(max(0, remaining))} with TIMEOUT.",
        details=(f"at {job.percent} %, {job.step}",),
        actions=(f"extend the deadline: kubectl patch recon {job.name} --type=merge -p '{longer}'",),
        more={"etaSeconds": left, "deadlineInSeconds": remaining},
    )


def announced(facts: Facts) -> Answer | None:
    """Explain a running job with a requested cancel."""
    job = facts.job
    if not job.cancel_requested:
        return None
    return Answer(
        "cancel-announced",
        "A cancel is requested but not confirmed, so the job continues.",
        details=tuple(event.text for event in facts.events if event.reason == "CancelRequested")[-1:],
        actions=(
            f"confirm it: kubectl recon cancel {job.name} --confirm",
            f"or withdraw it: kubectl recon cancel {job.name} --withdraw",
        ),
    )


def retried(facts: Facts) -> Answer | None:
    """Explain a running job with failed attempts."""
    job = facts.job
    if job.failures == 0:
        return None
    return Answer(
        "running-again",
        f"It runs, as attempt {job.attempt}: {job.failures} earlier ones failed, the last with {job.failure_reason}.",
        details=(job.failure_message, _progress(facts)) if job.failure_message else (_progress(facts),),
        actions=(f"follow it: kubectl recon watch {job.name}",),
        more={"attempt": job.attempt, "failures": job.failures},
    )


def well(facts: Facts) -> Answer:
    """Explain any other running job: nothing is wrong."""
    job = facts.job
    since = job.condition("Running").since
    return Answer(
        "running",
        f"It runs on {job.worker or 'a worker'}: {_progress(facts)}.",
        details=(*((f"this attempt began {facts.ago(since)} ago",) if since else ()), *filter(None, (job.parts,))),
        actions=(f"follow it: kubectl recon watch {job.name}",),
        well=True,
        more={"percent": job.percent, "etaSeconds": job.eta_seconds},
    )


def _progress(facts: Facts) -> str:
    job = facts.job
    left = f", about {duration_text(job.eta_seconds)} left" if job.eta_seconds is not None else ""
    return f"{job.percent} %, {job.step or 'about to begin'}{left}"
