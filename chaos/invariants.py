"""What must be true of every job, whatever happened. Pure: evidence in, violations out.

Each check gives one verdict for each job that it applies to, so that a report can say how many were looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

from chaos.evidence import Evidence, Output
from chaos.excuses import could_know, hearing_seconds, was_forgotten, was_harmed
from chaos.journal import ModelRun
from chaos.load import Job
from chaos.watcher import OUTCOMES, History, Look

TTL_SLACK_SECONDS = 2.0
"""Times in a status are whole seconds."""

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
_GUILTY = {"unusable", "poison"}
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


Check = Callable[[_Case], Iterator[str]]
"""Yields one text for each time that it looked: empty, or what is wrong."""


# --- 1: every job ends in exactly one way, and stays there ------------------------------------------------------------


def _ends_once(case: _Case) -> Iterator[str]:
    looks = case.history.looks
    ended = [look for look in looks if look.finished]
    early = [look for look in looks if not look.finished and look.true_conditions]
    yield f"a condition says that it has ended, and the phase does not: {early[0]}" if early else ""
    if not ended:
        if not case.is_gone:
            newest = looks[-1] if looks else None
            yield f"it has not ended: {newest}"
        return
    yield "" if all(look.finished for look in looks[looks.index(ended[0]) :]) else f"it was reopened: {looks[-5:]}"
    outcomes = {look.phase for look in ended}
    yield "" if len(outcomes) == 1 else f"it ended in more than one way: {sorted(outcomes)}"
    wrong = [
        look for look in ended if look.true_conditions != _TRUTHS_OF[look.phase] or look.finished_reason != look.phase
    ]
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


def _suffers_for_nobody(case: _Case) -> Iterator[str]:
    """An attempt with a process of its own fails by its own fault, or by a fault of the run: never by another job's."""
    end = case.end
    if end is None or case.job.scenario in _GUILTY:
        return
    last = end.attempt - 1 if end.phase == "Succeeded" else end.attempt
    may_have_failed = [number for number in range(1, last + 1) if not _was_well(case, number)]
    yield (
        f"{end.failures} of its attempts failed, and only these had been harmed: {may_have_failed}"
        if end.failures > len(may_have_failed)
        else ""
    )


def _was_well(case: _Case, attempt: int) -> bool:
    """Of an attempt that never came to its model nobody knows on which worker it was."""
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
        # Somebody was stopped, or cut off, while the older one ran: it may have been overtaken and not know.
        knows = could_know(older, newer.start, case.evidence)
        if knows is None and older.attempt == newer.attempt and was_forgotten(newer.start, case.evidence):
            knows = newer.start  # the claim was given away between two beats of the older one: the next one says so
        if knows is None:
            yield f"attempts {_name(older)} and {_name(newer)} ran together, and nobody was stopped or cut off"
            continue
        late = older.last - knows
        yield (
            ""
            if late <= case.evidence.bounds.overtaken
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
    else:
        late = [output for output in after if not _could_not_know(case, output, end)]
        yield f"a result appeared after it had ended {end.phase}" if late else ""


def _could_not_know(case: _Case, output: Output, end: Look) -> bool:
    """Whether the attempt that made it was stopped or cut off when the job ended, and had no time since to hear of it."""
    maker = next((run for run in case.runs if run.signature == output.signature), None)
    knows = None if maker is None else could_know(maker, end.at, case.evidence)
    return knows is not None and output.at <= knows + case.evidence.bounds.overtaken


def _keeps_its_result(case: _Case) -> Iterator[str]:
    """Nobody deletes it, nobody puts another in its place, and it is the one that was reported."""
    end = case.end
    if end is None or case.is_gone or end.phase != "Succeeded":
        return
    final = case.evidence.final.get(case.job.uid)
    if final is None:
        yield "it succeeded, and there is no result"
        return
    yield final.problem
    seen = case.evidence.outputs.get(case.job.uid, ())
    yield (
        "another result lies there than the one that was published" if seen and seen[-1].digest != final.digest else ""
    )
    yield (
        f"the result of attempt {final.attempt} lies there, and the status says attempt {end.attempt}"
        if final.attempt is not None and final.attempt > end.attempt
        else ""
    )
    yield (
        f"its result has {final.bytes} bytes, and the status says {end.output_bytes}"
        if end.output_bytes != final.bytes
        else ""
    )


def _reports_once(case: _Case) -> Iterator[str]:
    """A later attempt may report a result that lies there already, and nothing else: never one of its own beside it."""
    if not case.is_gone:
        successes = case.evidence.successes.get(case.job.uid, 0)
        results = {output.digest for output in case.evidence.outputs.get(case.job.uid, ())}
        twice = successes > 1 and len(results) > 1
        yield f"{successes} attempts of it have succeeded, as Redis says, with {len(results)} results" if twice else ""


def _delivers_what_it_reports(case: _Case) -> Iterator[str]:
    """The copy for `spec.output` is the result that was reported, and stays when the job's object is gone."""
    job, end = case.job, case.end
    if not job.output_uri or end is None or end.phase != "Succeeded":
        return
    yield (
        ""
        if end.output_uri == job.output_uri
        else f"its output is wanted at {job.output_uri}, and the status says {end.output_uri}"
    )
    there = case.evidence.delivered.get(job.uid)
    if there is None:
        yield "it succeeded, and its result was not delivered, or does not lie there any more"
        return
    yield there.problem
    reported = [output.digest for output in case.evidence.outputs.get(job.uid, ())][-1:]
    yield "another result was delivered than the one that was reported" if reported not in ([], [there.digest]) else ""
    yield "" if there.job_id == job.uid else f"the result of job {there.job_id} was delivered"
    seen = {one.digest for one in case.evidence.deliveries.get(job.uid, ()) if one.at > end.at + 1.0}
    yield "what was delivered was replaced after it had been reported" if seen - {there.digest} else ""


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
    bounds = case.evidence.bounds
    waited = hearing_seconds(job.confirmed_at, end.at, case.evidence, case.runs)
    yield (
        f"it was reported as cancelled {waited:.1f} s after the confirmation could be heard"
        if waited > bounds.cancelling
        else ""
    )
    for run in case.runs:
        heard = hearing_seconds(job.confirmed_at, run.start, case.evidence, [run])
        if run.start > end.at:
            yield f"{_name(run)} started after it was reported as cancelled"
        elif run.start > job.confirmed_at and heard > bounds.acting:
            yield f"{_name(run)} started {heard:.1f} s after the confirmation could be heard"
        elif run.last > end.at:
            knows = could_know(run, end.at, case.evidence)
            late = run.last - (end.at if knows is None else knows + bounds.overtaken)
            yield f"{_name(run)} ran on for {late:.1f} s after it was reported as cancelled" if late > 0.0 else ""
    left = [one.where for one in case.evidence.traces.get(job.uid, ()) if one.where.startswith("/")]
    yield f"its files are left: {left}" if left else ""
    if job.output_uri:
        yield "its result was delivered" if job.uid in case.evidence.delivered else ""


def _had_finished(case: _Case, confirmed_at: float) -> str:
    """Nobody could tell the worker in time: the work was done, or faults kept the operators from telling."""
    made = {output.signature for output in case.evidence.outputs.get(case.job.uid, ())}
    done = max((run.last for run in case.runs if run.ended and run.signature in made), default=None)
    if done is None:
        return "a cancel was confirmed, and it ended Succeeded without a model that ended"
    if hearing_seconds(confirmed_at, done, case.evidence) > case.evidence.bounds.acting:
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
            if one.ttl_seconds is None or one.ttl_seconds > case.evidence.retention_seconds or not one.fades
        ]
        yield f"it is deleted, and these are left for ever: {too_long}" if too_long else ""
    alive = [one.where for one in case.evidence.traces.get(job.uid, ()) if "alive:" in one.where]
    yield f"it is over, and something of it says that it lives: {alive}" if alive else ""
    if case.evidence.messages is not None and (case.end is not None or case.is_gone):
        messages = case.evidence.messages.get(job.uid, ())
        yield f"it is over, and messages of it are left in {sorted(set(messages))}" if messages else ""


def _leaves_no_copy_behind(case: _Case) -> Iterator[str]:
    """What was begun or replaced where `spec.output` says goes with the job's files, or when it has succeeded."""
    job, end = case.job, case.end
    if not job.output_uri or (end is None and not case.is_gone):
        return
    if (end is not None and end.phase == "Succeeded") or job.uid not in case.evidence.with_files:
        hidden = case.evidence.hidden.get(job.uid, ())
        yield f"beside its output these are left: {sorted(hidden)}" if hidden else ""


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
            late = lag.seconds is None or lag.seconds > case.evidence.bounds.behind
            yield (
                f"its status was behind for {lag.seconds or 'too many'} s while nothing was broken: {lag.wanted}"
                if late
                else ""
            )


# --- 6: no job is lost ------------------------------------------------------------------------------------------------


def _is_not_lost(case: _Case) -> Iterator[str]:
    looks = case.history.looks
    if case.job.deleted_at is not None:
        yield ""
        return
    if case.history.gone_at is not None:
        yield _expired(case, case.history.gone_at)
        return
    yield "" if looks and looks[-1].finished else f"it never came to an end: {looks[-1] if looks else 'no status'}"


def _expired(case: _Case, gone_at: float) -> str:
    """Its object is gone, and nobody deleted it: its own time has to be over."""
    end, seconds = case.end, case.job.ttl_seconds
    if end is None:
        return "it vanished before it had ended, and nobody had deleted it"
    if seconds is None or gone_at < end.completed_at + seconds - TTL_SLACK_SECONDS:
        passed = gone_at - end.completed_at
        return f"it vanished {passed:.1f} s after its completionTime, and ttlSecondsAfterFinished is {seconds}"
    return ""


_CHECKS: tuple[tuple[int, Check], ...] = (
    (1, _ends_once),
    (1, _suffers_for_nobody),
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


def overtaken_seconds(evidence: Evidence) -> list[float]:
    """For each attempt that was overtaken while it ran: how long it went on after it could know."""
    return [
        max(0.0, older.last - (could_know(older, newer.start, evidence) or newer.start))
        for runs in evidence.runs.values()
        for older, newer in combinations(runs, 2)
        if older.last > newer.start
    ]


def cancelling_seconds(evidence: Evidence) -> list[float]:
    """For each cancelled job: how long after its confirmation it was reported, without the time that faults excuse."""
    cases = [_Case(evidence, job) for job in evidence.jobs]
    return [
        hearing_seconds(case.job.confirmed_at, case.end.at, evidence, case.runs)
        for case in cases
        if case.job.confirmed_at is not None and case.end is not None and case.end.phase == "Cancelled"
    ]


def confirmed_while_it_ran(evidence: Evidence) -> tuple[int, int]:
    """How many cancels were confirmed while a model of the job ran, and how many of these jobs ended Succeeded."""
    cases = [_Case(evidence, job) for job in evidence.jobs]
    ran = [
        case
        for case in cases
        if (at := case.job.confirmed_at) is not None and any(run.start <= at <= run.last for run in case.runs)
    ]
    return len(ran), sum(1 for case in ran if case.end is not None and case.end.phase == "Succeeded")


def _name(run: ModelRun) -> str:
    return f"{run.attempt} (pid {run.pid})"
