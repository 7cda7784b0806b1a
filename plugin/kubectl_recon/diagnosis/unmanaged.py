"""Jobs that no operator works on: another controller's, two installations, an operator that is away or behind."""

from __future__ import annotations

from typing import Final

from kubectl_recon.diagnosis.facts import Answer, Facts
from kubectl_recon.jobs.attention import foreign as is_foreign
from kubectl_recon.jobs.times import duration_text

_SOON_SECONDS: Final = 10  # an operator that is well has seen a job by then


def foreign(facts: Facts) -> Answer | None:
    """Another controller has it."""
    if not is_foreign(facts.job):
        return None
    manager = facts.job.spec["managedBy"]
    return Answer(
        "managed-by-another",
        f"spec.managedBy gives the job to {manager}, so the operator leaves it alone.",
        actions=(f"ask {manager}, or create the job anew without spec.managedBy: the field is fixed",),
    )


def contested(facts: Facts) -> Answer | None:
    """Two installations watch the namespace."""
    condition = facts.condition("Contested")
    if not condition.is_true:
        return None
    return Answer(
        "contested",
        "Two installations of the operator watch this namespace, and only one of them manages the job.",
        details=(condition.message,),
        actions=(
            "an administrator keeps one installation for the namespace (WATCH_NAMESPACES)",
            "if the manager was removed for good: reconstruction-operator handover, or wait for ADOPT_AFTER_SECONDS",
        ),
    )


def not_seen(facts: Facts) -> Answer | None:
    """No status at all."""
    if facts.job.seen:
        return None
    waits = facts.seconds_since(facts.job.created)
    away = _away(facts)
    if away:
        return Answer("operator-away", f"No operator has seen the job: {away}.", actions=_operator_actions(facts))
    if waits < _SOON_SECONDS:
        return Answer(
            "just-created",
            "The job was created a moment ago, and the operator has not seen it yet.",
            actions=(f"look again: kubectl recon why {facts.job.name}",),
            well=True,
        )
    if facts.operator.lease_known:
        return Answer(
            "namespace-not-watched",
            f"The operator runs, and has not seen the job in {duration_text(waits)}: it does not watch namespace "
            f"{facts.job.namespace}, or it is far behind.",
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
        actions=("ask an administrator for: kubectl recon doctor",),
    )


def behind(facts: Facts) -> Answer | None:
    """The status is of an older spec, or nothing moves because no operator leads."""
    if away := _away(facts):
        return Answer(
            "operator-away",
            f"The status is as the operator left it: {away}. Workers continue with their present jobs.",
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
            actions=("an administrator looks at Redis: kubectl recon doctor",),
        )
    return Answer(
        "operator-behind",
        "The operator has not answered the last change of the spec yet"
        + (f": its oldest write waits {lag:.0f} s." if lag >= 1 else "."),
        details=_last(facts),
        actions=(f"look again in a moment: kubectl recon why {facts.job.name}",),
    )


def _away(facts: Facts) -> str:
    """Why no operator works, if the user may see that; empty if one does, or it is not known."""
    if not facts.operator.lease_known:
        return ""
    lease = facts.operator.lease
    if lease is None:
        return f"there is no operator's Lease in namespace {facts.operator.namespace}"
    if not lease.is_held(facts.now):
        return f"no replica leads; the Lease was renewed {facts.ago(lease.renewed) or 'never'} ago"
    return ""


def _operator_actions(facts: Facts) -> tuple[str, ...]:
    namespace = facts.operator.namespace
    return (
        f"look at its pods: kubectl get pods -n {namespace}",
        f"and at its log: kubectl logs -n {namespace} deployment/reconstruction-operator",
        "check the whole installation: kubectl recon doctor",
    )


def _last(facts: Facts) -> tuple[str, ...]:
    return (f"last known: {facts.job.message}",) if facts.job.message else ()
