"""Evidence of one job for tests of the judge; by default it has no problem."""

from dataclasses import replace

from chaos.judge.evidence import Bounds, DeliveredCopy, Evidence, Lag, Leftover, Output, Window
from chaos.judge.invariants import judge
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
    unseen: bool = False,
) -> Evidence:
    subject = its_job or job()
    shown = list(snapshots or (running(6.0, 20), running(10.0, 60), SUCCEEDED))
    history = History(UID, "red", "job-1", shown, gone_at, unseen)
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
COPY = DeliveredCopy(17.0, UID, "a", uri=PLACE)
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
    """Return the evidence of a job whose cancel was confirmed at 10."""
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
