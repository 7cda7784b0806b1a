"""Diagnosis of jobs that no operator handles: another controller, two installations, an unavailable or slow operator."""

from __future__ import annotations

from typing import Final

from kubectl_recon.diagnosis.facts import Answer, Facts
from kubectl_recon.jobs.attention import foreign as is_foreign
from kubectl_recon.jobs.times import duration_text

_SOON_SECONDS: Final = 10  # a healthy operator has handled a new job by then


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
            "if the manager was removed for good, hand its jobs over (docs/upgrading.md)",
        ),
    )


def not_seen(facts: Facts) -> Answer:
    """Explain a job without a status."""
    waits = facts.seconds_since(facts.job.created)
    away = _away(facts)
    if away:
        return Answer("operator-away", f"No operator has seen the job: {away}.", actions=_operator_actions(facts))
    if waits < _SOON_SECONDS:
        return Answer(
            "just-created",
            "The job was created a moment ago, and the operator has not seen it yet.",
            actions=(f"check again: kubectl recon why {facts.job.name}",),
            well=True,
        )
    if facts.operator.lease_known:
        return Answer(
            "namespace-not-watched",
            f"The operator runs, but has not seen the job in {duration_text(waits)}: it does not watch namespace "
            f"{facts.job.namespace}, or it is overloaded.",
            actions=(
                f"ask an administrator whether WATCH_NAMESPACES includes {facts.job.namespace}",
                "kubectl recon doctor",
            ),
        )
    return Answer(
        "not-seen",
        f"The operator has not seen the job in {duration_text(waits)}: it does not run, or does not watch namespace "
        f"{facts.job.namespace}.",
        details=(f"you may not see the operator's Lease: {facts.operator.lease_refused}",),
        actions=("ask an administrator to run: kubectl recon doctor",),
    )


def behind(facts: Facts) -> Answer | None:
    """Explain a job whose status is outdated: the spec has changed, or no operator leads."""
    if away := _away(facts):
        return Answer(
            "operator-away",
            f"The status is outdated: {away}. Workers continue with their current jobs.",
            details=_last(facts),
            actions=_operator_actions(facts),
        )
    if facts.job.current:
        return None
    metrics = facts.operator.metrics
    lag = metrics.oldest_write_seconds if metrics else 0.0
    if metrics and metrics.redis_up is False:
        return Answer(
            "redis-away",
            "The operator cannot reach Redis, so nothing is sent, stopped or reported.",
            actions=("ask an administrator to check Redis: kubectl recon doctor",),
        )
    return Answer(
        "operator-behind",
        "The operator has not handled the last change of the spec yet"
        + (f": its oldest write waits {lag:.0f} s." if lag >= 1 else "."),
        details=_last(facts),
        actions=(f"check again in a moment: kubectl recon why {facts.job.name}",),
    )


def _away(facts: Facts) -> str:
    """Return why no operator is available; empty if one is, or if that is unknown."""
    if not facts.operator.lease_known:
        return ""
    lease = facts.operator.lease
    if lease is None:
        return f"there is no Lease of an operator in namespace {facts.operator.namespace}"
    return lease.vacancy(facts.now)


def _operator_actions(facts: Facts) -> tuple[str, ...]:
    namespace = facts.operator.namespace
    return (
        f"check its pods: kubectl get pods -n {namespace}",
        f"read its log: kubectl logs -n {namespace} deployment/reconstruction-operator",
        "check the whole installation: kubectl recon doctor",
    )


def _last(facts: Facts) -> tuple[str, ...]:
    return (f"last known: {facts.job.message}",) if facts.job.message else ()
