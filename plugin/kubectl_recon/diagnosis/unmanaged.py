"""Diagnosis of jobs that no operator handles: another controller, two installations, an unavailable
or slow operator.
"""

from __future__ import annotations

from typing import Final

from reconstruction_operator.contract.installation import PROBLEMS

from kubectl_recon.diagnosis.facts import Answer, Facts
from kubectl_recon.jobs.attention import foreign as is_foreign
from kubectl_recon.jobs.times import duration_text

_SOON_SECONDS: Final = 10  # a healthy operator has handled a new job by then
_CHECKS: Final = (
    "ask an administrator to check the operator, its log and Redis",
    "check the installation: kubectl recon doctor",
)


def foreign(facts: Facts) -> Answer | None:
    """Explain a job of another controller."""
    if not is_foreign(facts.job):
        return None
    manager = facts.job.spec["managedBy"]
    return Answer(
        "managed-by-another",
        f"spec.managedBy assigns the job to {manager}, so the operator ignores it.",
        actions=(f"ask {manager}, or create the job again without spec.managedBy: the field is immutable",),
    )


def contested(facts: Facts) -> Answer | None:
    """Explain a job that two installations watch."""
    condition = facts.condition("Contested")
    if not condition.is_true:
        return None
    return Answer(
        "contested",
        "Two installations of the operator watch this namespace, and only one of them manages the job.",
        details=(condition.message,),
        actions=(
            "ask an administrator to keep one installation for the namespace (WATCH_NAMESPACES)",
            "if the manager has moved or is gone, see docs/upgrading.md, Moving an installation",
        ),
    )


def not_seen(facts: Facts) -> Answer:
    """Explain a job without a status."""
    waits, installation = facts.seconds_since(facts.job.created), facts.installation
    if waits < _SOON_SECONDS:
        return Answer(
            "just-created",
            "The job was created a moment ago, and the operator has not seen it yet.",
            actions=(f"check again: kubectl recon why {facts.job.name}",),
            well=True,
        )
    seconds = duration_text(waits)
    if installation.missing:
        return Answer(
            "not-seen", f"No operator has seen the job in {seconds}: {installation.missing}.", actions=_CHECKS
        )
    if installation.info.narrowed:
        return Answer(
            "namespace-not-watched",
            f"The operator runs, but does not watch namespace {facts.job.namespace}: it has not seen "
            f"the job in {seconds}.",
            actions=(f"ask an administrator to add namespace {facts.job.namespace} to WATCH_NAMESPACES",),
        )
    return Answer(
        "operator-behind", f"The operator has not handled the job in {seconds}: it is overloaded.", actions=_CHECKS
    )


def unable(facts: Facts) -> Answer | None:
    """Explain a job whose operator cannot work: it does not report, or it reports that it cannot
    reach Redis or hangs.
    """
    if facts.job.phase == "Suspended" and facts.job.suspended:
        return None
    if away := facts.installation.away(facts.now):
        text = "The status is outdated" if facts.job.phase else "No operator has seen the job"
        return Answer("operator-away", f"{text}: {away}.", details=_last(facts), actions=_CHECKS)
    for code in ("RedisUnreachable", "LoopLate", "WritesRefused", "WritesLate"):
        if code in facts.installation.info.problems:
            situation = "redis-away" if code == "RedisUnreachable" else "operator-stuck"
            return Answer(situation, PROBLEMS[code].sentence, details=_last(facts), actions=_CHECKS)
    return None


def behind(facts: Facts) -> Answer | None:
    """Explain a job whose status is outdated: the spec has changed."""
    if facts.job.current:
        return None
    return Answer(
        "operator-behind",
        "The operator has not handled the last change of the spec yet.",
        details=(*(problem.text for problem in facts.installation.reported), *_last(facts)),
        actions=(f"check again in a moment: kubectl recon why {facts.job.name}",),
    )


def _last(facts: Facts) -> tuple[str, ...]:
    return (f"last known: {facts.job.message}",) if facts.job.message else ()
