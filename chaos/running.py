"""A run: faults in rounds, alone and combined, over many jobs; then everything is healed, drained and judged."""

from __future__ import annotations

import contextlib
import json
import random
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import redis

from chaos import clock, journal
from chaos.evidence import Evidence, Lag, Outputs, Trace, Window, wait_for
from chaos.faults import NO_FAULT, Context, Fault, all_faults
from chaos.load import Load
from chaos.scene import NAMESPACES, PROGRESS_SECONDS, RETENTION_SECONDS, Scene
from chaos.watcher import Watcher

JOBS_UNDER_WAY = 50
_MOVING_SECONDS = 90.0
_DRAIN_SECONDS = 300.0
_LAG_SECONDS = 35.0
LATE_SECONDS = 1.0  # beyond the coalescing interval: a status that is behind for longer is worth a line
_ACTIVE = {"Running", "Cancelling"}
_MAX_COMBINED = 3
_ORDER = ("objects", "messages", "operators", "workers", "models", "disk", "network", "redis", "kubernetes")
"""Faults that need the API server or Redis themselves come before those that take it away."""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Options:
    """What a run is."""

    seconds: float
    seed: int
    only: tuple[str, ...] = ()  # faults with one of these texts in their names; empty: all
    alone_first: bool = True  # each fault once by itself, before they are combined
    target: int = JOBS_UNDER_WAY


@dataclass(slots=True)
class Outcome:
    """What a run was, and what it left."""

    options: Options
    evidence: Evidence
    left_out: tuple[str, ...]  # faults that this machine cannot do
    begun_at: float
    defects: list[str] = field(default_factory=list)  # of the run itself


class Run:
    """The parts of one run, from start to end of a `with` block."""

    def __init__(self, options: Options, *, own_disk: bool, say: Say) -> None:
        self._options = options
        self._say = say
        self._chance = random.Random(options.seed)  # noqa: S311 -- reproducible on purpose
        self._scene = Scene(random.Random(options.seed + 1), own_disk=own_disk)  # noqa: S311
        self._stack = contextlib.ExitStack()
        self._windows: list[Window] = []
        self._lags: list[Lag] = []
        self._defects: list[str] = []

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as starting:
            starting.enter_context(self._scene)
            self._watcher = Watcher(self._scene.cluster)
            self._watcher.start()
            starting.callback(self._watcher.stop)
            self._outputs = Outputs(self._scene.jobs_dir)
            self._outputs.start()
            starting.callback(self._outputs.stop)
            self._load = Load(
                self._scene.cluster.api,
                self._watcher,
                self._scene.photos,
                namespaces=NAMESPACES,
                target=self._options.target,
                chance=random.Random(self._options.seed + 2),  # noqa: S311
            )
            starting.callback(self._load.stop)
            self._stack = starting.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.close()

    @property
    def scene(self) -> Scene:
        """The parts."""
        return self._scene

    # -- the story

    def perform(self) -> Outcome:
        """Everything, in order. Whatever happens on the way, what was seen is judged."""
        begun_at = clock.now()
        faults = [one for one in all_faults() if _is_wanted(one, self._options.only)]
        possible = [one for one in faults if self._scene.own_disk or not one.needs_disk]
        self._load.start()
        self._say(f"waiting for {self._options.target} jobs under way")
        wait_for(lambda: len(self._load.under_way) >= self._options.target, _MOVING_SECONDS, self._tend)
        context = Context(self._scene, self._load, self._chance)
        deal = _Deal(possible, self._chance, alone_first=self._options.alone_first)
        faults_begun_at = clock.now()
        while clock.now() - faults_begun_at < self._options.seconds:
            self._round(context, deal.next())
        self._drain()
        return Outcome(
            options=self._options,
            evidence=self._gather(),
            left_out=tuple(one.name for one in faults if one not in possible),
            begun_at=begun_at,
            defects=self._defects,
        )

    def _round(self, context: Context, faults: Sequence[Fault]) -> None:
        begin = clock.now()
        hold = max(self._chance.uniform(*one.hold) for one in faults)
        heals: list[Callable[[], object]] = []
        names = " + ".join(one.name for one in faults)
        try:
            for one in faults:
                heals.append(one.inject(context))  # noqa: PERF401 -- what was begun before a failure is to be mended
            wait_for(lambda: False, hold, self._tend)
            for heal in reversed(heals):
                heal()
        except Exception:  # noqa: BLE001 -- a defect of the run, to be reported; what was broken is mended all the same
            self._defects.append(f"{names}: {traceback.format_exc()}")
        self._mend()
        end = clock.now()
        waits = self._chance.random() < 0.8  # noqa: PLR2004 -- else the next fault comes while they still recover
        moving = self._wait_moving(end) if waits else None
        for one in faults:
            self._windows.append(Window(one.name, begin, end, cuts=one.cuts, moving=moving, waited=waits))
        recovery = "" if not waits else "not moving" if moving is None else f"moving after {moving - end:.1f} s"
        self._say(f"{len(self._windows):4} {names}: {end - begin:.1f} s; {recovery or 'no pause'}")
        if moving is not None and self._chance.random() < 0.3:  # noqa: PLR2004 -- a sample
            self._measure_lag()

    def _mend(self) -> None:
        """Whatever a fault left. The API server may need a moment, after all that was done to it."""
        for last in (False, True):
            try:
                self._scene.heal()
                self._scene.tend()
            except Exception:
                if last:
                    raise
            else:
                return

    def _tend(self) -> None:
        self._scene.tend()
        if self._load.defect is not None:
            raise self._load.defect

    def _wait_moving(self, since: float) -> float | None:
        """When each job that was active then had changed; None if one did not within the time."""
        active = [
            job
            for job in self._load.under_way
            if (history := self._watcher.of(job.uid)) is not None
            and history.newest is not None
            and history.newest.phase in _ACTIVE
        ]

        def moved() -> bool:
            for job in active:
                history = self._watcher.of(job.uid)
                if history is None or history.gone_at is not None or job.deleted_at is not None:
                    continue
                if history.newest is None or history.newest.at <= since:
                    return False
            return True

        return wait_for(moved, _MOVING_SECONDS, self._tend)

    def _measure_lag(self) -> None:
        """How long the status takes to show what Redis says of the jobs that run now."""
        seen_at = clock.now()
        try:
            wanted = _progress(self._scene.broker)
        except redis.RedisError:
            return
        expected = {job.uid: wanted[job.uid] for job in self._load.under_way if job.uid in wanted}
        caught_up: dict[str, float] = {}

        def all_there() -> bool:
            for uid, position in expected.items():
                if uid not in caught_up and self._shows(uid, position):
                    caught_up[uid] = clock.now() - seen_at
            return len(caught_up) == len(expected)

        wait_for(all_there, _LAG_SECONDS, self._tend)
        for uid, position in expected.items():
            late, history = caught_up.get(uid), self._watcher.of(uid)
            shown = history.newest if history is not None else None
            seconds = None if late is None else max(0.0, late - PROGRESS_SECONDS)
            lag = Lag(uid, seen_at, seconds, f"{position} was wanted, and at last there was {shown}")
            self._lags.append(lag)
            if seconds is None or seconds > LATE_SECONDS:
                took = "too long" if seconds is None else f"{seconds:.1f} s"
                self._say(f"     the status of {uid} was behind at {seen_at:.1f} for {took}: {lag.wanted}")

    def _shows(self, uid: str, position: tuple[int, int]) -> bool:
        history = self._watcher.of(uid)
        if history is None or history.newest is None:
            return False
        newest = history.newest
        return (
            newest.finished or history.gone_at is not None or newest.position >= position or newest.phase != "Running"
        )

    # -- the end

    def _drain(self) -> None:
        self._load.finish()
        self._say(f"no more faults, no more jobs; {len(self._load.under_way)} are to end")
        done = wait_for(lambda: not self._load.under_way and self._load.is_idle, _DRAIN_SECONDS, self._tend)
        left = self._load.under_way
        self._say("all have ended" if done else f"{len(left)} have not ended: {[job.name for job in left][:10]}")
        wait_for(self._files_are_gone, _MOVING_SECONDS, self._tend)

    def _files_are_gone(self) -> bool:
        gone = {job.uid for job in self._load.jobs if job.deleted_at is not None}
        return not any(folder.name in gone for folder in self._scene.jobs_dir.iterdir())

    def _gather(self) -> Evidence:
        self._load.stop()
        self._outputs.look()
        listed_before = clock.now()
        wait_for(lambda: self._watcher.listed_at > listed_before, _MOVING_SECONDS, self._tend)
        jobs = self._load.jobs
        here = {job.uid for job in jobs if job.deleted_at is None}
        return Evidence(
            jobs=jobs,
            histories={history.uid: history for history in self._watcher.histories},
            runs=journal.read(self._scene.journal_dir),
            outputs=self._outputs.found,
            windows=self._windows,
            lags=self._lags,
            traces=self._traces({job.uid for job in jobs}),
            flags={uid: self._flags(uid) for uid in here},
            ended_at=clock.now(),
            retention_seconds=RETENTION_SECONDS,
        )

    def _flags(self, uid: str) -> list[str]:
        keys = (f"cancel_request:{uid}", f"cancel:{uid}")
        return [key for key in keys if self._scene.state.exists(key)]

    def _traces(self, uids: set[str]) -> dict[str, list[Trace]]:
        """What Redis and the files still hold of each job."""
        found: dict[str, list[Trace]] = {}
        for client, where in ((self._scene.state, "state"), (self._scene.broker, "results")):
            for raw in client.scan_iter(count=1000):
                key = raw.decode() if isinstance(raw, bytes) else raw
                for uid in _uids_in(key, uids):
                    ttl = client.pttl(raw)
                    if ttl != -2:  # noqa: PLR2004 -- PTTL of a key that has just gone
                        found.setdefault(uid, []).append(Trace(f"{where}: {key}", None if ttl == -1 else ttl / 1000))
        for folder in self._scene.jobs_dir.iterdir():
            for uid in _uids_in(folder.name, uids):
                found.setdefault(uid, []).append(Trace(str(folder)))
        return found


class _Deal:
    """Which faults come next: a shuffled deck of all, dealt again and again, each time after a round without any."""

    def __init__(self, faults: Sequence[Fault], chance: random.Random, *, alone_first: bool) -> None:
        self._faults = list(faults)
        self._chance = chance
        self._alone = len(faults) if alone_first else 0
        self._deck: list[Fault] = []

    def next(self) -> list[Fault]:
        """One fault, or some on different things, in the order in which they can be done."""
        if not self._deck:
            self._deck = self._chance.sample(self._faults, len(self._faults))
            return [NO_FAULT]
        if self._alone:
            self._alone -= 1
            return [self._deck.pop()]
        count = self._chance.choice(range(1, _MAX_COMBINED + 1))
        chosen = [self._deck.pop()]
        for one in list(reversed(self._deck)):
            if len(chosen) < count and all(one.on != other.on for other in chosen):
                chosen.append(one)
                self._deck.remove(one)
        return sorted(chosen, key=lambda one: _ORDER.index(one.on))


def _is_wanted(fault: Fault, only: tuple[str, ...]) -> bool:
    return not only or any(text.lower() in fault.name.lower() for text in only)


def _progress(broker: redis.Redis) -> dict[str, tuple[int, int]]:
    """(attempt, percent) of each job that runs, as Celery's results say."""
    found: dict[str, tuple[int, int]] = {}
    keys = list(broker.scan_iter("celery-task-meta-*", count=1000))
    for raw in broker.mget(keys) if keys else []:
        result = json.loads(raw) if raw else {}
        if result.get("status") == "PROGRESS":
            uid, _, attempt = result["task_id"].rpartition("-")
            position = int(attempt), int(result["result"]["progress"])
            found[uid] = max(position, found.get(uid, (0, 0)))
    return found


_UID_LENGTH = 36


def _uids_in(text: str, uids: set[str]) -> list[str]:
    starts = range(max(0, len(text) - _UID_LENGTH + 1))
    return [piece for start in starts if (piece := text[start : start + _UID_LENGTH]) in uids]
