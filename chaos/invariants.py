"""What must be true of every job, whatever happened. Pure: evidence in, violations out.

Each check gives one verdict for each job that it applies to, so that a report can say how many were looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

from chaos.evidence import Evidence, Window
from chaos.journal import ModelRun
from chaos.load import Job
from chaos.watcher import OUTCOMES, History, Look

OVERTAKEN_SECONDS = 5.0
"""An attempt that was overtaken stops within this time of being able to know."""

ACTING_SECONDS = 5.0
"""What a confirmation needs to reach a worker when all is well; a job that ends within it had finished before."""

LAG_SECONDS = 30.0
"""Beyond the coalescing interval, before it counts as broken: a guard, since a busy machine is late with everything. The
report has the times themselves."""

TITLES: Mapping[int, str] = {
    1: "ends once, and the conditions agree",
    2: "one attempt publishes, reports, deletes",
    3: "a confirmed cancel ends as Cancelled",
    4: "nothing is left behind",
    5: "never backwards, status not behind",
    6: "no job is lost",
}
"""Each invariant in a few words, by its number."""

_TRUTHS_OF: Mapping[str, frozenset[str]] = {
    "Succeeded": frozenset({"Complete", "Finished"}),
    "Failed": frozenset({"Failed", "Finished"}),
    "Cancelled": frozenset({"Cancelled", "Finished"}),
}
_EXPECTED: Mapping[str, frozenset[str]] = {
    "steady": frozenset({"Succeeded"}),
    "withdraw": frozenset({"Succeeded"}),
    "suspend": frozenset({"Succeeded"}),
    "unusable": frozenset({"Failed"}),
    "poison": frozenset({"Failed"}),
    "cancel": frozenset({"Cancelled", "Succeeded"}),  # invariant 3 says which
    "cancel at once": frozenset({"Cancelled", "Succeeded"}),
    "delete": OUTCOMES,
}
_UNUSABLE_REASON = "NotEnoughOverlap"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one check says of one job; an empty `problem`: all is well."""

    invariant: int
    uid: str
    problem: str = ""


def judge(evidence: Evidence) -> list[Verdict]:
    """All verdicts."""
    found: list[Verdict] = []
    for job in evidence.jobs:
        case = _Case(evidence, job)
        for number, check in _CHECKS:
            found += [Verdict(number, job.uid, problem) for problem in check(case)]
    return found


@dataclass(slots=True)
class _Case:
    """One job, with all that was found out about it."""

    evidence: Evidence
    job: Job

    @property
    def history(self) -> History:
        return self.evidence.histories.get(self.job.uid) or History(self.job.uid, self.job.namespace, self.job.name)

    @property
    def runs(self) -> Sequence[ModelRun]:
        return self.evidence.runs.get(self.job.uid, ())

    @property
    def end(self) -> Look | None:
        """The first look at the finished job."""
        return next((look for look in self.history.looks if look.finished), None)

    @property
    def is_gone(self) -> bool:
        return self.job.deleted_at is not None or self.history.gone_at is not None

    def windows(self, begin: float, end: float) -> list[Window]:
        """Faults that were on at some moment between these."""
        return [one for one in self.evidence.windows if one.begin <= end and one.end >= begin]


Check = Callable[[_Case], Iterator[str]]
"""Yields one text for each time that it looked: empty, or what is wrong."""


# --- 1: every job ends in exactly one way, and stays there ------------------------------------------------------------


def _ends_once(case: _Case) -> Iterator[str]:
    looks = case.history.looks
    ended = [look for look in looks if look.finished]
    if not ended:
        if not case.is_gone:
            newest = looks[-1] if looks else None
            yield f"it has not ended: {newest}"
        return
    yield "" if all(look.finished for look in looks[looks.index(ended[0]) :]) else f"it was reopened: {looks[-5:]}"
    outcomes = {look.phase for look in ended}
    yield "" if len(outcomes) == 1 else f"it ended in more than one way: {sorted(outcomes)}"
    wrong = [look for look in ended if look.true_conditions != _TRUTHS_OF[look.phase]]
    yield f"phase and conditions disagree: {wrong[0]}" if wrong else ""
    yield _as_expected(case, ended[0])


def _as_expected(case: _Case, end: Look) -> str:
    job = case.job
    if end.phase == "Cancelled" and job.confirmed_at is None and not end.confirmed:
        return "it was cancelled, and nobody confirmed a cancel"
    if end.phase not in _EXPECTED[job.scenario]:
        return f"a job of scenario {job.scenario!r} ended {end.phase} ({end.reason})"
    if job.scenario == "unusable" and end.reason != _UNUSABLE_REASON:
        return f"it failed by {end.reason} instead of {_UNUSABLE_REASON}"
    if job.scenario == "poison" and end.failures > job.backoff_limit + 1:
        return f"it was tried again after {end.failures - 1} failures; backoffLimit is {job.backoff_limit}"
    return ""


# --- 2: at most one attempt publishes, reports or deletes -------------------------------------------------------------


def _runs_alone(case: _Case) -> Iterator[str]:
    for older, newer in combinations(case.runs, 2):
        if older.last <= newer.start:
            yield ""
            continue
        # Somebody was stopped, or cut off, while the older one ran: it may have been overtaken and not know.
        excuses = [one for one in case.windows(older.start, older.last) if one.cuts]
        if not excuses:
            yield f"attempts {_name(older)} and {_name(newer)} ran together, and nobody was stopped or cut off"
            continue
        could_know = max(newer.start, *(one.end for one in excuses))
        late = older.last - could_know
        yield (
            ""
            if late <= OVERTAKEN_SECONDS
            else f"attempt {_name(older)} ran on for {late:.1f} s after it could know that {_name(newer)} had overtaken it"
        )


def _publishes_once(case: _Case) -> Iterator[str]:
    outputs = case.evidence.outputs.get(case.job.uid, ())
    end = case.end
    for output in outputs:
        yield output.problem
        makers = [run for run in case.runs if run.signature == output.signature]
        yield (
            ""
            if makers and makers[0].ended
            else f"its result was made by {output.signature}, which never ended its work"
        )
    if end is None:
        return
    after = [output for output in outputs if output.at > end.at + 1.0]  # one look at the files takes as long as that
    before = [output for output in outputs if output.at <= end.at + 1.0]
    if end.phase == "Succeeded":
        yield "its result was replaced after it had been reported" if before and after else ""
        stays = not case.is_gone
        yield "it succeeded, and there is no result" if stays and not outputs else ""
    else:
        yield f"a result appeared after it had ended {end.phase}" if after else ""


# --- 3: a confirmed cancel --------------------------------------------------------------------------------------------


def _cancels(case: _Case) -> Iterator[str]:
    job, end = case.job, case.end
    if job.confirmed_at is None or job.ended_when_confirmed or end is None:
        return
    if end.phase == "Succeeded":
        yield _had_finished(case, job.confirmed_at)
        return
    if end.phase != "Cancelled":
        yield f"a cancel was confirmed, and it ended {end.phase}"
        return
    allowed = max([end.at, *(one.end + OVERTAKEN_SECONDS for one in case.windows(job.created_at, end.at) if one.cuts)])
    late = [run for run in case.runs if run.last > allowed]
    yield f"{_name(late[0])} ran {late[0].last - end.at:.1f} s after it was reported as cancelled" if late else ""
    started = [run for run in case.runs if run.start > end.at]
    yield f"{_name(started[0])} started after it was reported as cancelled" if started else ""
    left = [one.where for one in case.evidence.traces.get(job.uid, ()) if one.where.startswith("/")]
    yield f"its files are left: {left}" if left else ""


def _had_finished(case: _Case, confirmed_at: float) -> str:
    """Nobody could tell the worker in time: the work was done, or faults kept the operators from telling."""
    done = min((run.last for run in case.runs if run.ended), default=None)
    if done is None:
        return "a cancel was confirmed, and it ended Succeeded without a model that ended"
    hindered = sum(
        min(one.end, done) - max(one.begin, confirmed_at)
        for one in case.windows(confirmed_at, done)
        if one.begin < done and one.end > confirmed_at
    )
    recovering = max(
        (one.moving or one.end for one in case.windows(confirmed_at - 30.0, done) if one.begin <= done),
        default=confirmed_at,
    )
    free = done - max(confirmed_at + hindered, min(recovering, done))
    if free > ACTING_SECONDS:
        return f"a cancel was confirmed {done - confirmed_at:.1f} s before its work was done, and it ended Succeeded"
    return ""


# --- 4: nothing is left behind ----------------------------------------------------------------------------------------


def _leaves_nothing(case: _Case) -> Iterator[str]:
    job = case.job
    flags = case.evidence.flags.get(job.uid)
    if flags is not None and job.confirmed_at is None and (job.withdrawn_at is not None or job.requested_at is None):
        yield f"flags of a cancel that is not wanted: {flags}" if flags else ""
    if case.is_gone:
        too_long = [
            one.where
            for one in case.evidence.traces.get(job.uid, ())
            if one.ttl_seconds is None or one.ttl_seconds > case.evidence.retention_seconds
        ]
        yield f"it is deleted, and these are left for ever: {too_long}" if too_long else ""


# --- 5: forward only, and not behind ----------------------------------------------------------------------------------


def _goes_forward(case: _Case) -> Iterator[str]:
    for before, after in pairwise(case.history.looks):
        if after.position < before.position:
            yield f"(attempt, percent) fell from {before.position} to {after.position}"
            return
    yield ""


def _is_not_behind(case: _Case) -> Iterator[str]:
    for lag in case.evidence.lags:
        if lag.uid == case.job.uid:
            late = lag.seconds is None or lag.seconds > LAG_SECONDS
            yield (
                f"its status was behind for {lag.seconds or 'too many'} s while nothing was broken: {lag.wanted}"
                if late
                else ""
            )


# --- 6: no job is lost ------------------------------------------------------------------------------------------------


def _is_not_lost(case: _Case) -> Iterator[str]:
    looks = case.history.looks
    if case.is_gone:
        if looks or case.job.deleted_at is not None:
            yield ""
        return
    yield "" if looks and looks[-1].finished else f"it never came to an end: {looks[-1] if looks else 'no status'}"


_CHECKS: tuple[tuple[int, Check], ...] = (
    (1, _ends_once),
    (2, _runs_alone),
    (2, _publishes_once),
    (3, _cancels),
    (4, _leaves_nothing),
    (5, _goes_forward),
    (5, _is_not_behind),
    (6, _is_not_lost),
)


def overtaken_seconds(evidence: Evidence) -> list[float]:
    """For each attempt that was overtaken while it ran: how long it went on after it could know."""
    found = []
    for job in evidence.jobs:
        case = _Case(evidence, job)
        for older, newer in combinations(case.runs, 2):
            if older.last > newer.start:
                ends = [one.end for one in case.windows(older.start, older.last) if one.cuts]
                found.append(max(0.0, older.last - max([newer.start, *ends])))
    return found


def _name(run: ModelRun) -> str:
    return f"{run.attempt} (pid {run.pid})"
