"""Figures of a run for the report: durations of superseded attempts and of cancels."""

from __future__ import annotations

from itertools import combinations

from chaos.judge.case import Case
from chaos.judge.evidence import Evidence
from chaos.judge.excuses import could_know_at, reachable_seconds


def superseded_seconds(evidence: Evidence) -> list[float]:
    """Return for each attempt superseded while it ran how long it continued after it could notice."""
    return [
        max(0.0, older.last - (could_know_at(older, newer.start, evidence) or newer.start))
        for runs in evidence.runs.values()
        for older, newer in combinations(runs, 2)
        if older.last > newer.start
    ]


def cancelling_seconds(evidence: Evidence) -> list[float]:
    """Return for each cancelled job the time from confirmation to Cancelled, without the time that faults excuse."""
    cases = [Case(evidence, job) for job in evidence.jobs]
    return [
        reachable_seconds(case.job.confirmed_at, case.end.at, evidence, case.runs)
        for case in cases
        if case.job.confirmed_at is not None and case.end is not None and case.end.phase == "Cancelled"
    ]


def confirmed_while_it_ran(evidence: Evidence) -> tuple[int, int]:
    """Count the cancels confirmed while a model of the job ran, and how many of these jobs Succeeded."""
    cases = [Case(evidence, job) for job in evidence.jobs]
    ran = [
        case
        for case in cases
        if (at := case.job.confirmed_at) is not None and any(run.start <= at <= run.last for run in case.runs)
    ]
    return len(ran), sum(1 for case in ran if case.end is not None and case.end.phase == "Succeeded")
