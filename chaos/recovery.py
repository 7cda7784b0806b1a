"""Recovery: waits until jobs progress again after a round of faults, and measures how late their statuses are."""

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
_LATE_SECONDS = 1.0  # log a status that is later than this, beyond the debounce interval
_LAG_SECONDS = 5.0  # measure beyond the bound, so that the report shows how late a status is
_FIRST_JOBS = 3  # new jobs that must start if a fault removed all jobs
_ACTIVE = {"Running", "Cancelling"}
_STOPPING = {"Cancelling", "Suspended"}  # their status shows no further progress
_WAITING = {None, "Pending", "Queued"}
_ASK_SECONDS = 0.5


class Recovery:
    """Observes the jobs after each round of faults. Calls `supervise` while it waits."""

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
        """Return when every active job and one waiting job had changed; None: not within the time limit.

        If a fault removed all active jobs, return when the first new jobs had started.
        """
        active = self._active()
        if not active:
            before = self._begun()
            first = min(_FIRST_JOBS, self._load.target)
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
                # An attempt that died meanwhile has no progress to show.
                reported = self._reported()
                asked_at = clock.now()
                for uid in [one for one, position in expected.items() if reported.get(one, (0, 0)) < position]:
                    if uid not in caught_up:
                        del expected[uid]
            return len(caught_up) >= len(expected)

        wait_for(all_there, self._bounds.behind + PROGRESS_SECONDS + _LAG_SECONDS, self._supervise)
        for uid, position in expected.items():
            late = caught_up.get(uid)
            history = self._watcher.of(uid)
            shown = history.newest if history is not None else None
            seconds = None if late is None else max(0.0, late - PROGRESS_SECONDS)
            lag = Lag(uid, seen_at, seconds, f"expected {position}, and the last status is {shown}")
            self.lags.append(lag)
            if seconds is None or seconds > _LATE_SECONDS:
                took = "too" if seconds is None else f"{seconds:.1f} s"
                self._log(f"     at {seen_at:.1f} the status of {uid} was {took} late: {lag.wanted}")

    def _active(self) -> list[UserJob]:
        """Return the jobs that a worker runs, by their status."""
        return [job for job in self._load.under_way if self._phase(job) in _ACTIVE]

    def _phase(self, job: UserJob) -> str | None:
        history = self._watcher.of(job.uid)
        return history.newest.phase if history is not None and history.newest is not None else None

    def _begun(self) -> set[str]:
        """Return the jobs that have run or ended, by their history."""
        return {
            history.uid
            for history in self._watcher.histories
            if any(look.phase in _ACTIVE or look.finished for look in history.snapshots)
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
    """Return (attempt, percent) of each running job, from Celery's results."""
    positions: dict[str, tuple[int, int]] = {}
    keys = list(broker.scan_iter("celery-task-meta-*", count=1000))
    for raw in broker.mget(keys) if keys else []:
        result = json.loads(raw) if raw else {}
        if result.get("status") == "PROGRESS":
            uid, _, attempt = result["task_id"].rpartition("-")
            position = int(attempt), int(result["result"]["progress"])
            positions[uid] = max(position, positions.get(uid, (0, 0)))
    return positions
