"""Report of a run in Markdown: a table of faults and invariants, recovery times, figures and violations."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Sequence

from chaos.faults import all_faults
from chaos.faults.table import NO_FAULT
from chaos.judge.evidence import Evidence, Window
from chaos.judge.invariants import TITLES, Ruling
from chaos.running import RunResult
from chaos.system.load import UserJob

_MAX_SHOWN = 60


def is_good(outcome: RunResult, rulings: Sequence[Ruling]) -> bool:
    """Return whether every check passed, the system recovered from every fault, and the run itself had no error."""
    stuck = [window for window in outcome.evidence.windows if window.waited and window.recovered_at is None]
    return not stuck and not outcome.defects and not any(ruling.problem for ruling in rulings)


def render(outcome: RunResult, rulings: Sequence[Ruling]) -> str:
    """Return the whole report."""
    parts = [
        _summary(outcome, rulings),
        _fault_table(outcome.evidence, rulings),
        _legend(outcome),
        _figures(outcome.evidence),
        _violations(outcome, rulings),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _summary(outcome: RunResult, rulings: Sequence[Ruling]) -> str:
    evidence = outcome.evidence
    broken = sum(1 for ruling in rulings if ruling.problem)
    minutes = (evidence.ended_at - outcome.begun_at) / 60
    attempts = sum(len(runs) for runs in evidence.runs.values())
    return (
        f"Seed {outcome.options.seed}: {len(_faults(evidence))} faults in {outcome.options.seconds / 60:.0f} minutes "
        f"({minutes:.0f} with the end), {len(evidence.jobs)} jobs, {attempts} model processes. "
        f"{len(rulings)} checks, {broken} broken."
    )


def _fault_table(evidence: Evidence, rulings: Sequence[Ruling]) -> str:
    """Return a row for each fault; a cell counts the checks of one invariant on jobs that were unfinished during it."""
    by_job: dict[str, list[Ruling]] = {}
    for ruling in rulings:
        by_job.setdefault(ruling.uid, []).append(ruling)
    head = ["fault", "times", *(f"{number}" for number in TITLES), "recovery: median, worst"]
    rows = []
    for fault in (NO_FAULT, *all_faults()):
        windows = [window for window in evidence.windows if window.name == fault.name]
        if not windows:
            continue
        lived = {
            uid for window in windows for uid in _under_way(evidence, window.begin, window.recovered_at or window.end)
        }
        cells = [_cell(number, lived, by_job) for number in TITLES]
        missed = sum(1 for window in windows if not window.hit)
        times = f"{len(windows)} ({missed} hit nothing)" if missed else str(len(windows))
        rows.append([fault.name, times, *cells, _recovery(windows)])
    total = [_cell(number, set(by_job), by_job) for number in TITLES]
    rows.append(["**all**", str(len(_faults(evidence))), *total, _recovery(_faults(evidence))])
    return _table(head, rows)


def _faults(evidence: Evidence) -> list[Window]:
    return [window for window in evidence.windows if window.name != NO_FAULT.name]


def _recovery(windows: Sequence[Window]) -> str:
    times = [window.recovered_at - window.end for window in windows if window.recovered_at is not None]
    return f"{statistics.median(times):.1f} s, {max(times):.1f} s" if times else "-"


def _under_way(evidence: Evidence, begin: float, end: float) -> Iterable[str]:
    for job in evidence.jobs:
        over = _over_at(evidence, job)
        if job.created_at <= end and (over is None or over >= begin):
            yield job.uid


def _over_at(evidence: Evidence, job: UserJob) -> float | None:
    history = evidence.histories.get(job.uid)
    ends = [job.deleted_at, history.gone_at if history else None]
    ends += [snapshot.at for snapshot in history.snapshots if snapshot.finished][:1] if history else []
    return min((end for end in ends if end is not None), default=None)


def _cell(number: int, uids: set[str], by_job: dict[str, list[Ruling]]) -> str:
    mine = [ruling for uid in uids for ruling in by_job.get(uid, ()) if ruling.invariant == number]
    broken = sum(1 for ruling in mine if ruling.problem)
    return f"{len(mine)}, **{broken} broken**" if broken else str(len(mine))


def _legend(outcome: RunResult) -> str:
    lines = ["The numbers count checks of jobs that were unfinished during the fault:", ""]
    lines += [f"{number}. {title}" for number, title in TITLES.items()]
    if outcome.left_out:
        lines += ["", f"Not possible on this machine, and skipped: {', '.join(outcome.left_out)}."]
    return "\n".join(lines)


def _figures(evidence: Evidence) -> str:
    ends = Counter(
        history.newest.phase if history.newest and history.finished else "deleted before its end"
        for history in (evidence.histories.get(job.uid) for job in evidence.jobs)
        if history is not None
    )
    scenarios = Counter(job.scenario for job in evidence.jobs)
    lags = [lag.seconds for lag in evidence.lags if lag.seconds is not None]
    behind = f"none for {lags.count(0.0)} of {len(evidence.lags)}, worst {max(lags):.1f} s" if lags else "-"
    rows = [
        ["jobs by what their users did", ", ".join(f"{count} {name}" for name, count in scenarios.most_common())],
        ["jobs by how they ended", ", ".join(f"{count} {name}" for name, count in ends.most_common())],
        ["jobs that moved between the pools", _legs(evidence)],
        ["results with a copy at spec.output", f"{len(evidence.delivered)} at the end"],
        ["status behind Redis, beyond the debounce interval", behind],
        ["memory after ten minutes and at the end, MiB", _memory(evidence)],
    ]
    return _table(["figure", "value"], rows)


def _legs(evidence: Evidence) -> str:
    legs = [
        {(each.attempt, each.leg): each.went_back for each in history.snapshots if each.leg}
        for history in evidence.histories.values()
    ]
    back = sum(sum(of_job.values()) for of_job in legs)
    return f"{sum(map(bool, legs))}, in {sum(map(len, legs))} legs; for {back} no worker was free in time"


def _memory(evidence: Evidence) -> str:
    grown = {name: growth for name, growth in evidence.memory.items() if growth is not None}
    shown = [
        f"{name} {growth.settled_bytes / 2**20:.0f}, {growth.last_bytes / 2**20:.0f}" for name, growth in grown.items()
    ]
    return "; ".join(shown) or "the run was too short"


def _violations(outcome: RunResult, rulings: Sequence[Ruling]) -> str:
    jobs = {job.uid: job for job in outcome.evidence.jobs}
    lines = [
        f"- invariant {one.invariant}, {jobs[one.uid].namespace}/{jobs[one.uid].name} ({jobs[one.uid].scenario}, "
        f"{one.uid}): {one.problem}"
        for one in rulings
        if one.problem
    ]
    lines += [
        f"- after {one.name} (at {one.end:.1f}) not all jobs recovered"
        for one in outcome.evidence.windows
        if one.waited and one.recovered_at is None
    ]
    lines += [f"- the run itself: {defect}" for defect in outcome.defects]
    if not lines:
        return ""
    more = [f"- ... and {len(lines) - _MAX_SHOWN} more"] if len(lines) > _MAX_SHOWN else []
    return "\n".join(["Broken:", "", *lines[:_MAX_SHOWN], *more])


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
