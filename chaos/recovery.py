"""Recovery: whether the jobs of a run move again after a round of faults, and how late their statuses are."""

from __future__ import annotations

import json
from collections.abc import Callable

import redis

from chaos import clock
from chaos.judge.evidence import Bounds, Lag
from chaos.polling import wait_for
from chaos.system.load import Load, UserJob
from chaos.system.scene import PROGRESS_SECONDS, Scene
from chaos.witnesses.watcher import Watcher

RECOVERY_SECONDS = 90.0
_LATE_SECONDS = 1.0  # a status that is later than this, beyond the coalescing interval, gets a line in the log
_LAG_SECONDS = 5.0  # measured beyond the bound, so that a report can say how late
_FIRST_JOBS = 3  # new jobs that must have started, if a fault removed all jobs
_ACTIVE = {"Running", "Cancelling"}
_STOPPING = {"Cancelling", "Suspended"}  # their status shows no further progress
_WAITING = {None, "Pending", "Queued"}
_ASK_SECONDS = 0.5


class Recovery:
    """The jobs of a run after its rounds of faults. `supervise` is called while it waits."""

    def __init__(
        self,
        scene: Scene,
        load: Load,
        watcher: Watcher,
        bounds: Bounds,
        *,
        supervise: Callable[[], None],
        log: Callable[[str], None],
    ) -> None:
        self._scene, self._load, self._watcher = scene, load, watcher
        self._bounds, self._supervise, self._log = bounds, supervise, log
        self.lags: list[Lag] = []

    def wait(self, since: float) -> float | None:
        """When each active job had changed and one of the waiting jobs had moved; None: not within the time limit.

        If no job was active, because a fault removed them all: when the first jobs created after it had started.
        """
        active = self._active()
        if not active:
            before, first = self._begun(), min(_FIRST_JOBS, self._load.target)
            return wait_for(lambda: len(self._begun() - before) >= first, RECOVERY_SECONDS, self._supervise)
        waiting = [job for job in self._load.under_way if self._phase(job) in _WAITING]

        def moved() -> bool:
            return all(self._has_moved(job, since) for job in active) and (
                not waiting or any(self._has_moved(job, since) for job in waiting)
            )

        return wait_for(moved, RECOVERY_SECONDS, self._supervise)

    def measure_lag(self) -> None:
        """Measure how long each status takes to show the progress that Redis has now."""
        seen_at = clock.now()
        wanted = self._reported()
        expected = {job.uid: wanted[job.uid] for job in self._load.under_way if job.uid in wanted}
        caught_up: dict[str, float] = {}
        asked_at = seen_at

        def all_there() -> bool:
            nonlocal asked_at
            for uid, position in expected.items():
                if uid not in caught_up and self._shows(uid, position):
                    caught_up[uid] = clock.now() - seen_at
            if len(caught_up) < len(expected) and clock.now() - asked_at > _ASK_SECONDS:
                # An attempt that died meanwhile has no progress to show any more.
                reported, asked_at = self._reported(), clock.now()
                for uid in [one for one, position in expected.items() if reported.get(one, (0, 0)) < position]:
                    if uid not in caught_up:
                        del expected[uid]
            return len(caught_up) >= len(expected)

        wait_for(all_there, self._bounds.behind + PROGRESS_SECONDS + _LAG_SECONDS, self._supervise)
        for uid, position in expected.items():
            late, history = caught_up.get(uid), self._watcher.of(uid)
            shown = history.newest if history is not None else None
            seconds = None if late is None else max(0.0, late - PROGRESS_SECONDS)
            lag = Lag(uid, seen_at, seconds, f"{position} was wanted, and the last status is {shown}")
            self.lags.append(lag)
            if seconds is None or seconds > _LATE_SECONDS:
                took = "too long" if seconds is None else f"{seconds:.1f} s"
                self._log(f"     the status of {uid} was behind at {seen_at:.1f} for {took}: {lag.wanted}")

    def _active(self) -> list[UserJob]:
        """Jobs that a worker has, by their status."""
        return [job for job in self._load.under_way if self._phase(job) in _ACTIVE]

    def _phase(self, job: UserJob) -> str | None:
        history = self._watcher.of(job.uid)
        return history.newest.phase if history is not None and history.newest is not None else None

    def _begun(self) -> set[str]:
        """The jobs that have run or ended, by their history."""
        return {
            one.uid
            for one in self._watcher.histories
            if any(look.phase in _ACTIVE or look.finished for look in one.snapshots)
        }

    def _has_moved(self, job: UserJob, since: float) -> bool:
        history = self._watcher.of(job.uid)
        if history is None or history.gone_at is not None or job.deleted_at is not None:
            return True
        return history.newest is not None and history.newest.at > since

    def _reported(self) -> dict[str, tuple[int, int]]:
        try:
            return _progress(self._scene.broker)
        except redis.RedisError:
            return {}

    def _shows(self, uid: str, position: tuple[int, int]) -> bool:
        history = self._watcher.of(uid)
        if history is None or history.newest is None:
            return False
        newest = history.newest
        over = newest.finished or history.gone_at is not None or newest.phase in _STOPPING
        return over or newest.position >= position


def _progress(broker: redis.Redis) -> dict[str, tuple[int, int]]:
    """(attempt, percent) of each running job, from Celery's results."""
    found: dict[str, tuple[int, int]] = {}
    keys = list(broker.scan_iter("celery-task-meta-*", count=1000))
    for raw in broker.mget(keys) if keys else []:
        result = json.loads(raw) if raw else {}
        if result.get("status") == "PROGRESS":
            uid, _, attempt = result["task_id"].rpartition("-")
            position = int(attempt), int(result["result"]["progress"])
            found[uid] = max(position, found.get(uid, (0, 0)))
    return found
