"""Invariants: what must hold for every job under any fault. Pure functions from evidence to rulings.

A check yields one text for each item: the problem, or empty. The report counts the texts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from chaos.judge import cancels, endings, events, remains, results, statuses
from chaos.judge.case import Case, Check
from chaos.judge.evidence import Evidence

TITLES: Mapping[int, str] = {
    1: "one end, and conditions that agree",
    2: "one attempt publishes, reports, deletes",
    3: "a confirmed cancel ends as Cancelled",
    4: "nothing is left behind",
    5: "status never goes backwards and is not late",
    6: "no job is lost, and no event of its end",
}
"""The invariants by number."""

_CHECKS: tuple[tuple[int, Check], ...] = (
    (1, endings.ends_once),
    (1, endings.is_isolated),
    (2, results.runs_alone),
    (2, results.makes_each_stage_once),
    (2, results.publishes_once),
    (2, results.keeps_its_result),
    (2, results.delivers_what_it_reports),
    (3, cancels.cancels),
    (4, remains.leaves_nothing),
    (4, remains.leaves_no_copy_behind),
    (5, statuses.goes_forward),
    (5, statuses.is_not_behind),
    (6, endings.is_not_lost),
    (6, events.tells_its_end),
)


@dataclass(frozen=True, slots=True)
class Ruling:
    """The result of one check of one job; an empty `problem` means that it holds."""

    invariant: int
    uid: str
    problem: str = ""


def judge(evidence: Evidence) -> list[Ruling]:
    """Return the rulings of all checks on all jobs."""
    rulings: list[Ruling] = []
    for job in evidence.jobs:
        case = Case(evidence, job)
        for number, check in _CHECKS:
            rulings += [Ruling(number, job.uid, problem) for problem in check(case)]
    return rulings
