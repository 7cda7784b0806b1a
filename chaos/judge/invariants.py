"""Invariants: what must be true of every job under any fault. Pure functions: evidence in, verdicts out.

A check yields one text for each thing that it examined, empty where all is well. The report counts these.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

from chaos.judge.evidence import Evidence, Leftover, Output
from chaos.judge.excuses import could_know_at, reachable_seconds, was_forgotten, was_harmed
from chaos.system.load import UserJob
from chaos.witnesses.journal import ModelRun
from chaos.witnesses.watcher import OUTCOMES, History, Snapshot

TTL_SLACK_SECONDS = 2.0
"""Because times in a status are whole seconds."""

TITLES: Mapping[int, str] = {
    1: "one end, and conditions that agree",
    2: "one attempt publishes, reports, deletes",
    3: "a confirmed cancel ends as Cancelled",
    4: "nothing is left behind",
    5: "status never goes backwards and is not late",
    6: "no job is lost",
}
"""The invariants by number."""

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
    "cancel": frozenset({"Cancelled", "Succeeded"}),  # invariant 3 decides which
    "cancel at once": frozenset({"Cancelled", "Succeeded"}),
    "delete": OUTCOMES,
}
_FAILING = {"unusable", "poison"}
_UNUSABLE_REASON = "NotEnoughOverlap"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of one check of one job; an empty `problem` means that it holds."""

    invariant: int
    uid: str
    problem: str = ""


def judge(evidence: Evidence) -> list[Verdict]:
    """Return the verdicts of all checks on all jobs."""
    found: list[Verdict] = []
    for job in evidence.jobs:
        case = _Case(evidence, job)
        for number, check in _CHECKS:
            found += [Verdict(number, job.uid, problem) for problem in check(case)]
    return found


@dataclass(slots=True)
class _Case:
    """One job with its evidence."""

    evidence: Evidence
    job: UserJob

    @property
    def history(self) -> History:
        return self.evidence.histories.get(self.job.uid) or History(self.job.uid, self.job.namespace, self.job.name)

    @property
    def runs(self) -> Sequence[ModelRun]:
        return self.evidence.runs.get(self.job.uid, ())

    @property
    def outputs(self) -> Sequence[Output]:
        return self.evidence.outputs.get(self.job.uid, ())

    @property
    def leftovers(self) -> Sequence[Leftover]:
        return self.evidence.leftovers.get(self.job.uid, ())

    @property
    def end(self) -> Snapshot | None:
        """The first snapshot of the finished job."""
        return next((snapshot for snapshot in self.history.snapshots if snapshot.finished), None)

    @property
    def is_gone(self) -> bool:
        return self.job.deleted_at is not None or self.history.gone_at is not None


Check = Callable[[_Case], Iterator[str]]
"""Yields one text for each thing that it examined: empty, or the problem."""


def _if(broken: object, problem: str) -> str:
    return problem if broken else ""


# --- 1: every job ends in exactly one way, and stays there ------------------------------------------------------------


def _ends_once(case: _Case) -> Iterator[str]:
    snapshots = case.history.snapshots
    ended = [snapshot for snapshot in snapshots if snapshot.finished]
    early = [snapshot for snapshot in snapshots if not snapshot.finished and snapshot.true_conditions]
    yield _if(early, f"a condition shows an end and the phase does not: {early[:1]}")
    if not ended:
        if not case.is_gone:
            yield f"it has not ended: {snapshots[-1:]}"
        return
    reopened = not all(snapshot.finished for snapshot in snapshots[snapshots.index(ended[0]) :])
    yield _if(reopened, f"it was reopened: {snapshots[-5:]}")
    outcomes = {snapshot.phase for snapshot in ended}
    yield _if(len(outcomes) > 1, f"it ended in more than one way: {sorted(outcomes)}")
    wrong = [
        snapshot
        for snapshot in ended
        if snapshot.true_conditions != _TRUTHS_OF[snapshot.phase] or snapshot.finished_reason != snapshot.phase
    ]
    yield _if(wrong, f"phase and conditions disagree: {wrong[:1]}")
    yield _as_expected(case, ended[0])


def _as_expected(case: _Case, end: Snapshot) -> str:
    job = case.job
    if end.phase == "Cancelled" and job.confirmed_at is None and not end.confirmed:
        return "it was cancelled without a confirmed cancel"
    if end.phase not in _EXPECTED[job.scenario]:
        return f"a job of scenario {job.scenario!r} ended {end.phase} ({end.reason})"
    if job.scenario == "unusable" and end.reason != _UNUSABLE_REASON:
        return f"it failed by {end.reason} instead of {_UNUSABLE_REASON}"
    if job.scenario == "poison" and end.failures > job.backoff_limit + 1:
        return f"it was retried after {end.failures - 1} failures; backoffLimit is {job.backoff_limit}"
    return ""


def _is_isolated(case: _Case) -> Iterator[str]:
    """An attempt in a separate process fails by itself or by a fault of the run, never by another job."""
    end = case.end
    if end is None or case.job.scenario in _FAILING:
        return
    last = end.attempt - 1 if end.phase == "Succeeded" else end.attempt
    may_have_failed = [number for number in range(1, last + 1) if not _was_unharmed(case, number)]
    yield _if(
        end.failures > len(may_have_failed),
        f"{end.failures} of its attempts failed, but faults had hit only these: {may_have_failed}",
    )


def _was_unharmed(case: _Case, attempt: int) -> bool:
    """False for an attempt without a model process: the evidence does not show on which worker it ran."""
    runs = [run for run in case.runs if run.attempt == attempt]
    return bool(runs) and all(
        run.worker in case.evidence.prefork and not was_harmed(run, case.evidence) for run in runs
    )


# --- 2: at most one attempt publishes, reports or deletes -------------------------------------------------------------


def _runs_alone(case: _Case) -> Iterator[str]:
    for older, newer in combinations(case.runs, 2):
        if older.last <= newer.start:
            yield ""
            continue
        # If a fault stopped the older run or cut it off, it may not know yet that it was superseded.
        knows = could_know_at(older, newer.start, case.evidence)
        if knows is None and older.attempt == newer.attempt and was_forgotten(newer.start, case.evidence):
            knows = newer.start  # claimed twice between two heartbeats of the older run: its next heartbeat shows it
        if knows is None:
            yield f"attempts {_name(older)} and {_name(newer)} ran together, and no fault stopped or cut off the older"
            continue
        late = older.last - knows
        yield _if(
            late > case.evidence.bounds.superseded,
            f"attempt {_name(older)} ran on for {late:.1f} s after it could know that {_name(newer)} superseded it",
        )


def _publishes_once(case: _Case) -> Iterator[str]:
    end = case.end
    for output in case.outputs:
        yield output.problem
        maker = _maker(case, output)
        finished = maker is not None and maker.ended
        yield _if(not finished, f"its result was made by {output.signature}, which never finished its work")
    if end is None:
        return
    after = [output for output in case.outputs if output.at > end.at + 1.0]  # one poll of the files takes up to 1 s
    before = [output for output in case.outputs if output.at <= end.at + 1.0]
    if end.phase == "Succeeded":
        yield _if(before and after, "its result was replaced after it had been reported")
    else:
        late = [output for output in after if not _could_not_know(case, output, end)]
        yield _if(late, f"a result appeared after it had ended {end.phase}")


def _maker(case: _Case, output: Output) -> ModelRun | None:
    return next((run for run in case.runs if run.signature == output.signature), None)


def _could_not_know(case: _Case, output: Output, end: Snapshot) -> bool:
    """Whether the attempt that made it was stopped or cut off when the job ended, and had no time since to notice."""
    maker = _maker(case, output)
    knows = None if maker is None else could_know_at(maker, end.at, case.evidence)
    return knows is not None and output.at <= knows + case.evidence.bounds.superseded


def _keeps_its_result(case: _Case) -> Iterator[str]:
    """The result is never deleted or replaced, and is the one that the status reports."""
    end = case.end
    if end is None or case.is_gone or end.phase != "Succeeded":
        return
    final = case.evidence.final.get(case.job.uid)
    if final is None:
        yield "it succeeded and has no result"
        return
    yield final.problem
    published = {output.digest for output in case.outputs[-1:]} or {final.digest}
    yield _if(final.digest not in published, "the result at the end is not the one that was published")
    yield _if(
        final.attempt is not None and final.attempt > end.attempt,
        f"the result is of attempt {final.attempt}, and the status says attempt {end.attempt}",
    )
    yield _if(
        end.output_bytes != final.bytes, f"its result has {final.bytes} bytes, and the status says {end.output_bytes}"
    )


def _reports_once(case: _Case) -> Iterator[str]:
    """A later attempt may report a result that exists already, but never a second one of its own."""
    if not case.is_gone:
        successes = case.evidence.successes.get(case.job.uid, 0)
        results = {output.digest for output in case.outputs}
        twice = successes > 1 and len(results) > 1
        yield _if(twice, f"by Redis {successes} of its attempts succeeded, with {len(results)} different results")


def _delivers_what_it_reports(case: _Case) -> Iterator[str]:
    """The copy at `spec.output` is the reported result, and stays when the job's object is deleted."""
    job, end = case.job, case.end
    if not job.output_uri or end is None or end.phase != "Succeeded":
        return
    yield _if(
        end.output_uri != job.output_uri, f"spec.output is {job.output_uri}, and the status says {end.output_uri}"
    )
    there = case.evidence.delivered.get(job.uid)
    if there is None:
        yield "it succeeded, and there is no copy at spec.output"
        return
    yield there.problem
    reported = {output.digest for output in case.outputs[-1:]} or {there.digest}
    yield _if(there.digest not in reported, "the copy is not the result that was reported")
    yield _if(there.job_id != job.uid, f"the copy is of job {there.job_id}")
    seen = {one.digest for one in case.evidence.deliveries.get(job.uid, ()) if one.at > end.at + 1.0}
    yield _if(seen - {there.digest}, "the copy was replaced after it had been reported")


# --- 3: a confirmed cancel --------------------------------------------------------------------------------------------


def _cancels(case: _Case) -> Iterator[str]:
    job, end = case.job, case.end
    if job.confirmed_at is None or job.ended_when_confirmed or end is None:
        return
    if end.phase == "Succeeded":
        yield _had_finished_before(case, job.confirmed_at)
        return
    if end.phase != "Cancelled":
        yield f"a cancel was confirmed, and it ended {end.phase}"
        return
    bounds = case.evidence.bounds
    waited = reachable_seconds(job.confirmed_at, end.at, case.evidence, case.runs)
    yield _if(
        waited > bounds.cancelling, f"it was reported as cancelled {waited:.1f} s after the confirmation could be seen"
    )
    for run in case.runs:
        passed = reachable_seconds(job.confirmed_at, run.start, case.evidence, [run])
        if run.start > end.at:
            yield f"{_name(run)} started after it was reported as cancelled"
        elif run.start > job.confirmed_at and passed > bounds.acting:
            yield f"{_name(run)} started {passed:.1f} s after the confirmation could be seen"
        elif run.last > end.at:
            knows = could_know_at(run, end.at, case.evidence)
            late = run.last - (end.at if knows is None else knows + bounds.superseded)
            yield _if(late > 0.0, f"{_name(run)} ran on for {late:.1f} s after it was reported as cancelled")
    left = [one.where for one in case.leftovers if one.where.startswith("/")]
    yield _if(left, f"its files are left: {left}")
    if job.output_uri:
        yield _if(job.uid in case.evidence.delivered, "its result was delivered")


def _had_finished_before(case: _Case, confirmed_at: float) -> str:
    """Whether Succeeded is right: the work was done before the worker could see the cancel. Returns the problem if not."""
    made = {output.signature for output in case.outputs}
    done = max((run.last for run in case.runs if run.ended and run.signature in made), default=None)
    if done is None:
        return "a cancel was confirmed, and it ended Succeeded without a model that finished"
    if reachable_seconds(confirmed_at, done, case.evidence) > case.evidence.bounds.acting:
        return f"a cancel was confirmed {done - confirmed_at:.1f} s before its work was done, and it ended Succeeded"
    return ""


# --- 4: nothing is left behind ----------------------------------------------------------------------------------------


def _leaves_nothing(case: _Case) -> Iterator[str]:
    job = case.job
    flags = case.evidence.flags.get(job.uid)
    if flags is not None and job.confirmed_at is None and (job.withdrawn_at is not None or job.requested_at is None):
        yield _if(flags, f"cancel flags exist without a cancel: {flags}")
    if case.is_gone:
        too_long = [
            one.where
            for one in case.leftovers
            if one.ttl_seconds is None or one.ttl_seconds > case.evidence.retention_seconds or not one.expires
        ]
        yield _if(too_long, f"it is deleted, and these never expire or expire too late: {too_long}")
    alive = [one.where for one in case.leftovers if "alive:" in one.where]
    yield _if(alive, f"it is over and still has a heartbeat: {alive}")
    if case.evidence.messages is not None and (case.end is not None or case.is_gone):
        messages = case.evidence.messages.get(job.uid, ())
        yield _if(messages, f"it is over and still has messages in {sorted(set(messages))}")


def _leaves_no_copy_behind(case: _Case) -> Iterator[str]:
    """Partial and replaced copies beside `spec.output` are deleted with the job's files, or when the job has succeeded."""
    job, end = case.job, case.end
    if not job.output_uri or (end is None and not case.is_gone):
        return
    if (end is not None and end.phase == "Succeeded") or job.uid not in case.evidence.with_files:
        hidden = case.evidence.hidden.get(job.uid, ())
        yield _if(hidden, f"these are left beside its copy: {sorted(hidden)}")


# --- 5: forward only, and not behind ----------------------------------------------------------------------------------


def _goes_forward(case: _Case) -> Iterator[str]:
    for before, after in pairwise(case.history.snapshots):
        if after.position < before.position:
            yield f"(attempt, percent) fell from {before.position} to {after.position}"
            return
    yield ""


def _is_not_behind(case: _Case) -> Iterator[str]:
    for lag in case.evidence.lags:
        if lag.uid == case.job.uid:
            late = lag.seconds is None or lag.seconds > case.evidence.bounds.behind
            yield _if(late, f"its status was behind for {lag.seconds or 'too many'} s without a fault: {lag.wanted}")


# --- 6: no job is lost ------------------------------------------------------------------------------------------------


def _is_not_lost(case: _Case) -> Iterator[str]:
    if case.job.deleted_at is not None:
        yield ""
    elif case.history.gone_at is not None:
        yield _expired(case, case.history.gone_at)
    else:
        yield _if(not case.history.finished, f"it never ended: {case.history.snapshots[-1:] or 'no status'}")


def _expired(case: _Case, gone_at: float) -> str:
    """An object that no user deleted may only go after its `ttlSecondsAfterFinished`."""
    end, seconds = case.end, case.job.ttl_seconds
    if end is None:
        return "its object disappeared before it had ended, and no user had deleted it"
    if seconds is None or gone_at < end.completed_at + seconds - TTL_SLACK_SECONDS:
        passed = gone_at - end.completed_at
        return f"its object disappeared {passed:.1f} s after completionTime, and ttlSecondsAfterFinished is {seconds}"
    return ""


_CHECKS: tuple[tuple[int, Check], ...] = (
    (1, _ends_once),
    (1, _is_isolated),
    (2, _runs_alone),
    (2, _publishes_once),
    (2, _keeps_its_result),
    (2, _reports_once),
    (2, _delivers_what_it_reports),
    (3, _cancels),
    (4, _leaves_nothing),
    (4, _leaves_no_copy_behind),
    (5, _goes_forward),
    (5, _is_not_behind),
    (6, _is_not_lost),
)


def superseded_seconds(evidence: Evidence) -> list[float]:
    """For each attempt that was superseded while it ran: how long it ran on after it could know."""
    return [
        max(0.0, older.last - (could_know_at(older, newer.start, evidence) or newer.start))
        for runs in evidence.runs.values()
        for older, newer in combinations(runs, 2)
        if older.last > newer.start
    ]


def cancelling_seconds(evidence: Evidence) -> list[float]:
    """For each cancelled job: the time from confirmation to report, without the time that faults excuse."""
    cases = [_Case(evidence, job) for job in evidence.jobs]
    return [
        reachable_seconds(case.job.confirmed_at, case.end.at, evidence, case.runs)
        for case in cases
        if case.job.confirmed_at is not None and case.end is not None and case.end.phase == "Cancelled"
    ]


def confirmed_while_it_ran(evidence: Evidence) -> tuple[int, int]:
    """Count the cancels that were confirmed while a model of the job ran, and those of these jobs that ended Succeeded."""
    cases = [_Case(evidence, job) for job in evidence.jobs]
    ran = [
        case
        for case in cases
        if (at := case.job.confirmed_at) is not None and any(run.start <= at <= run.last for run in case.runs)
    ]
    return len(ran), sum(1 for case in ran if case.end is not None and case.end.phase == "Succeeded")


def _name(run: ModelRun) -> str:
    return f"{run.attempt} (pid {run.pid})"
