"""Rule table: the first rule that applies and has an answer gives it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from kubectl_recon.diagnosis import finished, running, stopping, unmanaged, waiting
from kubectl_recon.diagnosis.facts import Answer, Facts

Condition = Callable[[Facts], bool]
Rule = Callable[[Facts], Answer | None]


def _phase(phase: str) -> Condition:
    """Return whether the job is in that phase."""
    return lambda facts: facts.job.phase == phase


def _reason(condition: str, reason: str) -> Condition:
    """Return whether the job's condition of that type has that reason."""
    return lambda facts: facts.reason(condition) == reason


def _any(_: Facts) -> bool:
    return True


RULES: Final[tuple[tuple[Condition, Rule], ...]] = (
    (_any, unmanaged.foreign),
    (_phase("Succeeded"), finished.succeeded),
    (_phase("Cancelled"), finished.cancelled),
    (_phase("Failed"), finished.failed),
    (_any, unmanaged.contested),
    (_any, unmanaged.unable),
    (_phase(""), unmanaged.not_seen),
    (_any, stopping.cancelling),
    (_any, unmanaged.behind),
    (_any, stopping.suspended),
    (_phase("Pending"), waiting.explained),
    (_phase("Queued"), waiting.explained),
    (_reason("Running", "AwaitingWorker"), running.awaiting_worker),
    (_reason("Running", "Stopping"), running.stopping),
    (_phase("Running"), running.silent),
    (_phase("Running"), running.too_late),
    (_phase("Running"), running.announced),
    (_phase("Running"), running.retried),
    (_phase("Running"), running.well),
)


def answer(facts: Facts) -> Answer:
    """Return the answer of the first rule that applies and has one, or a default."""
    answers = (rule(facts) for applies, rule in RULES if applies(facts))
    answer = next(filter(None, answers), None) or Answer(
        "unknown",
        f"{facts.job.name} is {facts.job.phase or 'new'}: {facts.job.message or 'its status has no message'}.",
        actions=(f"see the whole job: kubectl describe recon {facts.job.name}",),
    )
    actions = (f"{action} {facts.options}" if ": kubectl " in action else action for action in answer.actions)
    return replace(answer, actions=tuple(map(str.rstrip, actions)))
