"""The judge of the fault runs can say no: for each invariant, evidence that breaks it, and good evidence that passes."""

from dataclasses import replace

import pytest

from chaos.judge.evidence import Bounds, DeliveredCopy, Evidence, Lag, Leftover, Output, Slack, Window
from chaos.judge.invariants import cancelling_seconds, confirmed_while_it_ran, judge
from chaos.system.load import UserJob
from chaos.witnesses.journal import ModelRun
from chaos.witnesses.watcher import History, Snapshot

UID = "00000000-0000-0000-0000-000000000001"
RETENTION = 3600.0

SUCCEEDED = Snapshot(
    20.0,
    "Succeeded",
    1,
    100,
    frozenset({"Complete", "Finished"}),
    "",
    0,
    False,
    "Succeeded",
    output_bytes=9,
    completed_at=19.0,
)
CANCELLED = Snapshot(20.0, "Cancelled", 1, 40, frozenset({"Cancelled", "Finished"}), "", finished_reason="Cancelled")
FAILED = Snapshot(
    20.0, "Failed", 1, 40, frozenset({"Failed", "Finished"}), "NotEnoughOverlap", failures=1, finished_reason="Failed"
)


def job(scenario: str = "steady") -> UserJob:
    return UserJob(uid=UID, namespace="red", name="job-1", scenario=scenario, backoff_limit=2, created_at=1.0)


def running(at: float, percent: int, attempt: int = 1) -> Snapshot:
    return Snapshot(at, "Running", attempt, percent, frozenset(), "")


def run(
    attempt: int = 1, start: float = 5.0, last: float = 15.0, *, ended: bool = True, pid: int = 0, worker: str = "a"
) -> ModelRun:
    return ModelRun(UID, attempt, pid or 100 + attempt, start, last, ended, worker, task_pid=900)


def output(attempt: int = 1, at: float = 18.0, digest: str = "a") -> Output:
    return Output(at, attempt, digest, f"{UID}.{attempt}.{100 + attempt}", bytes=9)


def evidence(
    its_job: UserJob | None = None,
    *snapshots: Snapshot,
    runs: tuple[ModelRun, ...] = (run(),),
    outputs: tuple[Output, ...] = (output(),),
    final: Output | None = None,
    successes: int = 1,
    windows: tuple[Window, ...] = (),
    lags: tuple[Lag, ...] = (),
    leftovers: tuple[Leftover, ...] = (),
    flags: tuple[str, ...] = (),
    gone_at: float | None = None,
) -> Evidence:
    subject = its_job or job()
    history = History(UID, "red", "job-1", list(snapshots or (running(6.0, 20), running(10.0, 60), SUCCEEDED)), gone_at)
    return Evidence(
        jobs=[subject],
        histories={UID: history},
        runs={UID: runs},
        outputs={UID: outputs},
        final=dict.fromkeys([UID], last) if (last := final or next(reversed(outputs), None)) is not None else {},
        successes={UID: successes},
        prefork=frozenset({"a"}),
        windows=windows,
        lags=lags,
        leftovers={UID: leftovers},
        flags={UID: flags},
        ended_at=100.0,
        retention_seconds=RETENTION,
    )


def problems(found: Evidence) -> list[tuple[int, str]]:
    return [(verdict.invariant, verdict.problem) for verdict in judge(found) if verdict.problem]


def broken(found: Evidence) -> set[int]:
    return {invariant for invariant, _ in problems(found)}


def confirmed(at: float = 10.0) -> UserJob:
    return replace(job("cancel"), requested_at=at - 1.0, confirmed_at=at)


STOPPED = Window("worker with its children: SIGSTOP, SIGCONT", begin=8.0, end=14.0, cuts=True, harms=True)
LEADER = Window("operator, leader: SIGKILL", begin=8.0, end=14.0, blocks_users=True, deposes=True)
PAUSED = Window("Redis: paused", begin=8.0, end=14.0, blocks_users=True)
STANDBY = Window("operator, standby: SIGKILL", begin=0.0, end=100.0)
FLUSHED = Window("Redis: FLUSHALL", begin=8.0, end=9.0, blocks_users=True, forgets=True)
FIRST = run(1, 5.0, 8.0, ended=False)


def tried_twice(
    *, failures: int = 1, runs: tuple[ModelRun, ...] = (FIRST, run(2, 11.0, 17.0)), windows: tuple[Window, ...] = ()
) -> Evidence:
    end = replace(SUCCEEDED, attempt=2, failures=failures)
    return evidence(None, running(6.0, 20), end, runs=runs, outputs=(output(2),), windows=windows)


PLACE = "file:///delivered/red/job-1"
REPORTED = replace(SUCCEEDED, output_uri=PLACE)
COPY = DeliveredCopy(17.0, UID, "a")
POISONED = replace(FAILED, failures=3, reason="WorkerLost")


def delivered(
    its_job: UserJob | None = None,
    *snapshots: Snapshot,
    there: DeliveredCopy | None = COPY,
    earlier: tuple[DeliveredCopy, ...] = (COPY,),
    hidden: tuple[str, ...] = (),
    outputs: tuple[Output, ...] = (output(),),
    gone_at: float | None = None,
) -> Evidence:
    wanted = replace(its_job or job(), output_uri=PLACE)
    found = evidence(wanted, *(snapshots or (running(6.0, 20), REPORTED)), outputs=outputs, gone_at=gone_at)
    found.delivered = {} if there is None else {UID: there}
    found.deliveries = {UID: earlier}
    found.hidden = {UID: hidden}
    return found


SECOND = (running(6.0, 20), replace(SUCCEEDED, attempt=2))
TOGETHER = (run(1, 5.0, 12.0, ended=False), run(2, 10.0, 18.0))
LATE = (run(1, 5.0, 20.0, ended=False), run(2, 10.0, 18.0))
AGAIN = (run(1, 5.0, 12.0, ended=False, pid=7), run(1, 10.0, 15.0))
MUCH_LATER = (run(1, 5.0, 28.0, ended=False, pid=7), run(1, 26.0, 30.0))
DELETED = replace(job(), deleted_at=30.0)
LATE_CANCEL = replace(CANCELLED, at=31.0)
KEPT = replace(job(), ttl_seconds=10)
CUT = replace(STOPPED, begin=8.0, end=24.0)
COULD_HAVE_KNOWN = (run(start=15.5, last=16.0, ended=False),)


def in_parallel(*windows: Window, runs: tuple[ModelRun, ...] = TOGETHER) -> Evidence:
    return evidence(None, *SECOND, runs=runs, outputs=(output(2),), windows=windows)


def cancelled(
    *windows: Window,
    end: Snapshot = CANCELLED,
    runs: tuple[ModelRun, ...] = (run(),),
    outputs: tuple[Output, ...] = (),
    leftovers: tuple[Leftover, ...] = (),
) -> Evidence:
    """A job whose cancel was confirmed at 10."""
    snapshots = (running(6.0, 20), end) if end is CANCELLED else (end,)
    return evidence(confirmed(), *snapshots, runs=runs, outputs=outputs, windows=windows, leftovers=leftovers)


def with_messages(found: Evidence) -> Evidence:
    found.messages = {UID: ["unacked"]}
    return found


def with_files(found: Evidence) -> Evidence:
    found.with_files = frozenset({UID})
    return found


def patient(found: Evidence) -> Evidence:
    found.bounds = Bounds().times(2.0)
    return found


def of_poison(*hidden: str) -> Evidence:
    return delivered(job("poison"), POISONED, outputs=(), hidden=hidden)


def test_good_job_passes_and_every_invariant_examined_it() -> None:
    verdicts = judge(evidence(lags=(Lag(UID, 9.0, 0.2),)))

    assert [verdict for verdict in verdicts if verdict.problem] == []
    assert {verdict.invariant for verdict in verdicts} == {1, 2, 4, 5, 6}


PASSES = {
    "an attempt failed by a harmful fault": tried_twice(windows=(STOPPED,)),
    "an attempt failed in a shared process": tried_twice(runs=(replace(FIRST, worker="threads"), run(2, 11.0, 17.0))),
    "the worker of the failed attempt is unknown": tried_twice(runs=(run(2),)),
    "a fault hit the worker": tried_twice(windows=(replace(STOPPED, victims=frozenset({"a"})),)),
    "a fault hit the model": tried_twice(windows=(replace(STOPPED, victims=frozenset({"101"})),)),
    "a fault hit the pool process": tried_twice(windows=(replace(STOPPED, victims=frozenset({"900"})),)),
    "poison failed within its backoff limit": evidence(job("poison"), POISONED, outputs=()),
    "a stopped worker noticed in five seconds": in_parallel(STOPPED),
    "a later cut begins before the run had to stop": in_parallel(
        STOPPED, replace(STOPPED, begin=18.0, end=19.0), runs=LATE
    ),
    "a cut hit the worker of the superseded attempt": in_parallel(replace(STOPPED, victims=frozenset({"a"}))),
    "a cut hit the model of the superseded attempt": in_parallel(replace(STOPPED, victims=frozenset({"101", "100"}))),
    "patience gives a busy machine more time": patient(in_parallel(STOPPED, runs=LATE)),
    "an attempt that Redis lost runs twice until its next heartbeat": evidence(runs=AGAIN, windows=(FLUSHED,)),
    "a copy was delivered": delivered(),
    # Its attempt never published its result.
    "a copy of a superseded attempt was there": delivered(earlier=(replace(COPY, at=15.0, digest="b"), COPY)),
    "the job was deleted before its files were polled": delivered(DELETED, outputs=()),
    "a later attempt reports the existing result": evidence(successes=2),
    "a cut-off worker published shortly after the cancel": cancelled(CUT, outputs=(output(at=25.0),)),
    "the model of a cancelled job stopped": cancelled(runs=(run(last=11.0, ended=False),)),
    "an attempt began just after the cancel": cancelled(runs=(run(start=11.0, last=12.0, ended=False),)),
    "an attempt began while no operator led": cancelled(LEADER, runs=COULD_HAVE_KNOWN),
    "an attempt began while its worker was stopped": cancelled(STOPPED, runs=COULD_HAVE_KNOWN),
    "a fault delayed the cancel": cancelled(LEADER, end=LATE_CANCEL, runs=()),
    "a leftover of a deleted job expires": evidence(DELETED, leftovers=(Leftover("state: claim:x", 60.0),)),
    "a job that exists has a record and files": evidence(leftovers=(Leftover("state: job:x"), Leftover("/jobs/x"))),
    "a leftover copy while an unsuccessful job has files": with_files(of_poison(".job-1.x-1.partial")),
    "an object disappears after its time to live": evidence(KEPT, running(6.0, 20), SUCCEEDED, gone_at=29.0),
}


@pytest.mark.parametrize("what", PASSES)
def test_evidence_without_a_violation_passes(what: str) -> None:
    assert problems(PASSES[what]) == []


BREAKS = [
    (1, "it hangs", evidence(None, running(6.0, 20))),
    (1, "it was reopened", evidence(None, SUCCEEDED, running(30.0, 100))),
    (1, "it ended twice", evidence(None, SUCCEEDED, replace(CANCELLED, at=30.0, percent=100))),
    (1, "conditions disagree", evidence(None, replace(SUCCEEDED, true_conditions=frozenset({"Finished"})))),
    (1, "two conditions", evidence(None, replace(SUCCEEDED, true_conditions=frozenset({"Complete", "Failed"})))),
    (1, "a cancel without a confirmation", evidence(None, CANCELLED, outputs=())),
    (1, "a healthy job failed", evidence(None, FAILED, outputs=())),
    (1, "a hopeless job succeeded", evidence(job("unusable"), SUCCEEDED)),
    (1, "the wrong reason", evidence(job("unusable"), replace(FAILED, reason="WorkerError"), outputs=())),
    (1, "poison was retried too often", evidence(job("poison"), replace(FAILED, failures=4), outputs=())),
    (1, "the reason says otherwise", evidence(None, replace(SUCCEEDED, finished_reason="Failed"))),
    (1, "over before its end", evidence(None, replace(running(6.0, 20), true_conditions=frozenset({"Finished"})))),
    (1, "another's fault", evidence(None, replace(SUCCEEDED, failures=1), windows=(LEADER,))),
    (1, "two failures by one fault", tried_twice(failures=2, windows=(STOPPED,))),
    (1, "the job is unknown", replace(evidence(), histories={})),
    (2, "parallel attempts without a cut", in_parallel()),
    (2, "parallel attempts and a fault that cuts nothing", in_parallel(LEADER)),
    (2, "a superseded attempt that noticed too late", in_parallel(STOPPED, runs=LATE)),
    (
        2,
        "a later cut after the run had to stop",
        in_parallel(STOPPED, replace(STOPPED, begin=19.5, end=19.9), runs=LATE),
    ),
    (2, "a cut that hit another attempt", in_parallel(replace(STOPPED, victims=frozenset({"b", "7"})))),
    (2, "a cut that hit nothing", in_parallel(replace(STOPPED, hit=False))),
    (2, "a flush and a later attempt in parallel", in_parallel(FLUSHED)),
    (
        2,
        "a cut that ended long before",
        evidence(runs=(run(1, 5.0, 52.0, ended=False), run(2, 50.0, 60.0)), outputs=(output(2),), windows=(STOPPED,)),
    ),
    (2, "two runs of an attempt without a flush", evidence(runs=AGAIN)),
    (2, "a flush that hit nothing", evidence(runs=AGAIN, windows=(replace(FLUSHED, hit=False),))),
    (
        2,
        "two runs of an attempt after its heartbeat",
        evidence(runs=(run(1, 5.0, 15.5, ended=False, pid=7), run(1, 10.0, 16.0)), windows=(FLUSHED,)),
    ),
    (2, "two runs of an attempt long after a flush", evidence(runs=MUCH_LATER, windows=(FLUSHED,))),
    (2, "two processes of an attempt", evidence(runs=(run(1, 5.0, 12.0, pid=7), run(1, 6.0, 15.0)))),
    (2, "the result was replaced", evidence(outputs=(output(), output(at=40.0, digest="b")))),
    (2, "its maker is unknown", evidence(outputs=(output(2),))),
    (2, "its maker never finished", evidence(runs=(run(ended=False),))),
    (2, "it is not complete", evidence(outputs=(replace(output(), problem="model.glb is short"),))),
    (2, "there is no result", evidence(outputs=())),
    (2, "another one is there at the end", evidence(final=output(digest="b"))),
    (2, "it is damaged at the end", evidence(final=replace(output(), problem="model.glb is short"))),
    (2, "it is of a later attempt", evidence(runs=(run(2),), outputs=(output(2),))),
    (2, "the status has another size", evidence(None, replace(SUCCEEDED, output_bytes=8))),
    (2, "two attempts succeeded", evidence(successes=2, outputs=(output(), output(digest="b")))),
    (2, "it came after the cancel", cancelled(outputs=(output(at=40.0),))),
    (2, "it came long after the cut and the cancel", cancelled(CUT, outputs=(output(at=40.0),))),
    (2, "the copy is not there", delivered(there=None)),
    (2, "the copy does not stay when the object is deleted", delivered(DELETED, there=None)),
    (2, "the copy does not stay when the object's time is over", delivered(there=None, gone_at=50.0)),
    (2, "the copy is damaged", delivered(there=replace(COPY, problem="model.glb is short"))),
    (2, "the copy is another result", delivered(there=replace(COPY, digest="b"))),
    (2, "the copy is another job's", delivered(there=replace(COPY, job_id="another"))),
    (2, "the copy was replaced and put back", delivered(earlier=(COPY, replace(COPY, at=30.0, digest="b")))),
    (2, "the status says another place", delivered(None, replace(REPORTED, output_uri="file:///jobs/x"))),
    (3, "it failed", cancelled(end=FAILED)),
    (3, "it succeeded long after", evidence(confirmed(2.0), SUCCEEDED)),
    (3, "a fault that does not block users", evidence(confirmed(2.0), SUCCEEDED, windows=(STANDBY,))),
    (3, "a fault that came too late", evidence(confirmed(2.0), SUCCEEDED, windows=(LEADER,))),
    (
        3,
        "a fault that blocked no user",
        evidence(confirmed(2.0), SUCCEEDED, windows=(replace(LEADER, begin=1.0, end=2.0, hit=False),)),
    ),
    (3, "it ran on", cancelled(runs=(run(last=30.0, ended=False),))),
    (
        3,
        "another attempt began",
        cancelled(replace(STOPPED, end=40.0), runs=(run(last=11.0, ended=False), run(2, 25.0, 26.0, ended=False))),
    ),
    (3, "its files stayed", cancelled(leftovers=(Leftover("/jobs/x"),))),
    (3, "it took too long", cancelled(end=LATE_CANCEL, runs=())),
    (3, "a fault that hit nothing", cancelled(replace(LEADER, hit=False), end=LATE_CANCEL, runs=())),
    (3, "an attempt began that could have known", cancelled(runs=COULD_HAVE_KNOWN)),
    (
        3,
        "an attempt began that could have known, and another was stopped",
        cancelled(replace(STOPPED, victims=frozenset({"b"})), runs=COULD_HAVE_KNOWN),
    ),
    (3, "its result was delivered", delivered(confirmed(), CANCELLED, outputs=())),
    (6, "the job is unknown", replace(evidence(), histories={})),
    (6, "it hangs", evidence(None, running(6.0, 20))),
    (6, "it disappeared before its end", evidence(None, running(6.0, 20), gone_at=9.0)),
]


@pytest.mark.parametrize(
    ("invariant", "found"), [pytest.param(number, found, id=f"{number}: {what}") for number, what, found in BREAKS]
)
def test_violation_breaks_its_invariant(invariant: int, found: Evidence) -> None:
    assert invariant in broken(found)


BREAKS_ONLY = [
    (1, "no fault", tried_twice()),
    (1, "a harmless fault", tried_twice(windows=(LEADER,))),
    (1, "a fault that hit another worker", tried_twice(windows=(replace(STOPPED, victims=frozenset({"b"})),))),
    (1, "a fault that hit another child", tried_twice(windows=(replace(STOPPED, victims=frozenset({"901"})),))),
    (1, "a fault that hit another model", tried_twice(windows=(replace(STOPPED, victims=frozenset({"102"})),))),
    (1, "a fault that hit nothing", tried_twice(windows=(replace(STOPPED, hit=False),))),
    (1, "a fault that was over long before", tried_twice(windows=(replace(STOPPED, begin=-30.0, end=-20.0),))),
    (
        1,
        "a fault that came long after",
        tried_twice(windows=(replace(STOPPED, begin=18.0 + Slack().loss, end=40.0),)),
    ),
    (
        4,
        "the flag of a withdrawn request",
        evidence(replace(job("withdraw"), requested_at=3.0, withdrawn_at=4.0), flags=(f"cancel_request:{UID}",)),
    ),
    (4, "the flag of a cancel without a request", evidence(flags=(f"cancel:{UID}",))),
    (4, "a key of a deleted job", evidence(DELETED, leftovers=(Leftover("state: claim:x"),))),
    (4, "files of a deleted job", evidence(DELETED, leftovers=(Leftover("/jobs/x"),))),
    (4, "a key that expires too late", evidence(DELETED, leftovers=(Leftover("state: claim:x", RETENTION * 2),))),
    (4, "a key without a TTL", evidence(DELETED, leftovers=(Leftover("state: cancel:x", 60.0, expires=False),))),
    (4, "a heartbeat of a finished job", evidence(leftovers=(Leftover("state: alive:x", 2.0),))),
    (4, "a message of a finished job", with_messages(evidence())),
    (4, "a message of a deleted job", with_messages(evidence(DELETED, running(6.0, 20)))),
    (4, "a partial copy", delivered(hidden=(".job-1.x-1.partial",))),
    (4, "a replaced copy", delivered(hidden=(".job-1.replaced-0",))),
    (
        4,
        "a partial copy of a deleted job",
        delivered(replace(job(), deleted_at=9.0), running(6.0, 20), hidden=(".job-1.x-1.partial",)),
    ),
    (4, "a partial copy of a failed job", of_poison(".job-1.x-1.partial")),
    (5, "falling progress", evidence(None, running(6.0, 60), running(7.0, 20), SUCCEEDED)),
    (5, "a falling attempt", evidence(None, running(6.0, 20, attempt=2), replace(SUCCEEDED, percent=100))),
    (5, "a late status", evidence(lags=(Lag(UID, 9.0, 40.0),))),
    (5, "a status that never came", evidence(lags=(Lag(UID, 9.0, None),))),
    (6, "an object that disappears", evidence(None, running(6.0, 20), SUCCEEDED, gone_at=40.0)),
    (6, "an object that disappears early", evidence(KEPT, running(6.0, 20), SUCCEEDED, gone_at=23.0)),
]


@pytest.mark.parametrize(
    ("invariant", "found"), [pytest.param(number, found, id=f"{number}: {what}") for number, what, found in BREAKS_ONLY]
)
def test_violation_breaks_no_other_invariant(invariant: int, found: Evidence) -> None:
    assert broken(found) == {invariant}


@pytest.mark.parametrize(
    ("invariant", "found"),
    [
        pytest.param(
            2,
            evidence(runs=MUCH_LATER, windows=(FLUSHED, replace(LEADER, begin=9.0, end=15.0))),
            id="two runs of an attempt that Redis lost while no operator led",
        ),
        pytest.param(3, evidence(confirmed(13.0), running(6.0, 20), SUCCEEDED), id="a cancel just before the end"),
        pytest.param(
            3,
            evidence(confirmed(2.0), SUCCEEDED, windows=(replace(LEADER, begin=1.0, end=2.0),)),
            id="a cancel while no operator led",
        ),
        pytest.param(4, with_messages(evidence(None, running(6.0, 20))), id="a message of a running job"),
    ],
)
def test_excused_evidence_does_not_break_the_invariant(invariant: int, found: Evidence) -> None:
    assert invariant not in broken(found)


def test_patience_multiplies_bounds_but_not_slack() -> None:
    assert Bounds().times(4.0).superseded == 4 * Bounds().superseded
    assert Slack().plus(6.0).cause == Slack().cause + 6.0
    assert not {"cause", "blocked", "loss", "deposed", "forgotten"} & set(Bounds.__slots__)


@pytest.mark.parametrize(("windows", "seconds"), [((), 21.0), ((LEADER,), 2.0), ((PAUSED,), 9.0)])
def test_seconds_of_a_cancel_are_counted_without_the_faults(windows: tuple[Window, ...], seconds: float) -> None:
    assert cancelling_seconds(cancelled(*windows, end=LATE_CANCEL, runs=())) == [seconds]


def test_cancels_confirmed_while_a_model_ran_are_counted() -> None:
    assert confirmed_while_it_ran(evidence(confirmed(10.0), CANCELLED, outputs=())) == (1, 0)
    assert confirmed_while_it_ran(evidence(confirmed(14.0), SUCCEEDED)) == (1, 1)
    assert confirmed_while_it_ran(evidence(confirmed(1.0), SUCCEEDED)) == (0, 0)
