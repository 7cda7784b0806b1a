"""Run: injects faults in rounds while many jobs are unfinished; then heals, drains and collects the evidence."""

from __future__ import annotations

import contextlib
import itertools
import random
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Self

from chaos import clock
from chaos.faults import all_faults
from chaos.faults.table import Context, Fault
from chaos.judge.events import is_end
from chaos.judge.evidence import Bounds, Evidence, Slack, Window
from chaos.plan import Round, rounds
from chaos.polling import wait_for
from chaos.recovery import RECOVERY_SECONDS, Recovery
from chaos.system.load import Load
from chaos.system.scenarios import LONG_SECONDS
from chaos.system.scene import OPERATORS, PREFORK, RETENTION_SECONDS, Scene
from chaos.witnesses import events, journal, remains
from chaos.witnesses.deliveries import Deliveries
from chaos.witnesses.memory import MemoryWatcher, growth
from chaos.witnesses.results import ResultWatcher
from chaos.witnesses.watcher import Watcher

JOBS_UNDER_WAY = 50
_DRAIN_SECONDS = 300.0
_EMPTYING_SECONDS = 200.0  # VISIBILITY_TIMEOUT_SECONDS, and 100 s until kombu looks for messages of dead workers
_BUSY_SECONDS = 2.0  # the delay of a busy machine, for each unit of patience above 1
_EXPIRY_SECONDS = 8.0  # between two polls of the leftovers: more than two sweeps

Log = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Options:
    """The options of a run."""

    seconds: float
    seed: int
    only: tuple[str, ...] = ()  # texts in the names of the wanted faults; empty: all
    alone_first: bool = True  # each fault once alone, before they are combined
    target: int = JOBS_UNDER_WAY
    patience: float = 1.0  # factor for all time limits
    long_seconds: tuple[float, float] = LONG_SECONDS  # of long jobs
    empties: bool = True  # wait until the broker is empty, and check it


@dataclass(slots=True)
class RunResult:
    """The evidence of a finished run."""

    options: Options
    evidence: Evidence
    left_out: tuple[str, ...]  # faults that are impossible on this machine
    begun_at: float
    defects: list[str] = field(default_factory=list)  # errors of the run itself


class ChaosRun:
    """All parts of one run, as a context manager."""

    def __init__(self, options: Options, *, own_disk: bool, log: Log) -> None:
        self._options = options
        self._log = log
        # Seeded on purpose: it picks the requests that the API proxies refuse.
        self._scene = Scene(random.Random(options.seed), own_disk=own_disk)  # noqa: S311
        self._stack = contextlib.ExitStack()
        self._windows: list[Window] = []
        self._defects: list[str] = []
        self._bounds = Bounds().times(options.patience)
        self._slack = Slack().plus(_BUSY_SECONDS * max(0.0, options.patience - 1.0))

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as starting:
            starting.enter_context(self._scene)
            self._watcher = Watcher(self._scene.cluster)
            self._watcher.start()
            starting.callback(self._watcher.stop)
            self._results = ResultWatcher(self._scene.jobs_dir)
            self._deliveries = Deliveries(self._scene.delivered, self._scene.bucket)
            self._memory = MemoryWatcher(lambda: self._scene.system.processes | {"redis": self._scene.redis.process})
            for poller in (self._results.poller, self._deliveries.poller, self._memory.poller):
                poller.start()
                starting.callback(poller.stop)
            self._load = Load(
                self._scene,
                self._watcher,
                target=self._options.target,
                seed=self._options.seed,
                long_seconds=self._options.long_seconds,
            )
            starting.callback(self._load.stop)
            self._recovery = Recovery(
                self._scene, self._load, self._watcher, self._bounds, supervise=self._supervise, log=self._log
            )
            self._stack = starting.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def scene(self) -> Scene:
        """The scene of the run."""
        return self._scene

    def perform(self) -> RunResult:
        """Run everything in order. Record errors of the run itself, and still collect the evidence."""
        begun_at = clock.now()
        only = [text.lower() for text in self._options.only]
        faults = [one for one in all_faults() if not only or any(text in one.name.lower() for text in only)]
        possible = [one for one in faults if self._scene.disk.own or not one.needs_disk]
        self._load.start()
        self._log(f"waiting for {self._options.target} jobs under way")
        enough = wait_for(lambda: len(self._load.under_way) >= self._options.target, RECOVERY_SECONDS, self._supervise)
        if enough is None:
            self._defects.append(f"only {len(self._load.under_way)} jobs were under way when the faults began")
        plan = rounds(self._options.seed, possible, alone_first=self._options.alone_first)
        first = next(plan)
        context = Context(self._scene, self._load, first.chance)
        faults_begun_at = clock.now()
        for one in itertools.chain([first], plan):
            self._round(context, one)
            if clock.now() - faults_begun_at >= self._options.seconds:
                break
        faults_ended_at = clock.now()
        self._drain()
        messages = self._messages() if self._options.empties else None
        evidence = self._gather()
        evidence.faults_begun_at, evidence.faults_ended_at = faults_begun_at, faults_ended_at
        evidence.messages = messages
        return RunResult(
            options=self._options,
            evidence=evidence,
            left_out=tuple(one.name for one in faults if one not in possible),
            begun_at=begun_at,
            defects=self._defects,
        )

    def _round(self, context: Context, now: Round) -> None:
        begin = clock.now()
        context.chance = now.chance
        heals: list[Callable[[], object]] = []
        broken: list[Window] = []
        names = " + ".join(one.name for one in now.faults)
        try:
            for one in now.faults:
                context.victims, context.missed = set(), False
                window = _window(one, clock.now())
                heals.append(one.inject(context))
                broken.append(replace(window, victims=frozenset(context.victims), hit=not context.missed))
            wait_for(lambda: False, now.hold_seconds, self._supervise)
            for heal in reversed(heals):
                heal()
        except Exception:  # noqa: BLE001 -- reported at the end; the faults are healed below
            self._defects.append(f"{names}: {traceback.format_exc()}")
        self._heal_all()
        end = clock.now()
        recovered_at = self._recovery.wait(end) if now.waits else None
        self._windows += [replace(one, end=end, recovered_at=recovered_at, waited=now.waits) for one in broken]
        if not now.waits:
            recovery = "no pause"
        else:
            recovery = "no recovery" if recovered_at is None else f"recovered after {recovered_at - end:.1f} s"
        missed = "".join(f"; nothing to hit: {one.name}" for one in broken if not one.hit)
        self._log(f"{now.number:4} {names}: {end - begin:.1f} s; {recovery}{missed}")
        if recovered_at is not None and now.measures:
            self._recovery.measure_lag()

    def _heal_all(self) -> None:
        """Undo all faults, with one retry, because the API server may need a moment."""
        for last in (False, True):
            try:
                self._scene.heal()
                self._scene.supervise()
            except Exception:
                if last:
                    raise
            else:
                return

    def _supervise(self) -> None:
        self._scene.supervise()
        if self._load.defect is not None:
            raise self._load.defect

    # -- the end

    def _drain(self) -> None:
        self._load.finish()
        self._log(f"no more faults and no new jobs; {len(self._load.under_way)} jobs are unfinished")
        done = wait_for(lambda: not self._load.under_way and self._load.is_idle, _DRAIN_SECONDS, self._supervise)
        left = self._load.under_way
        self._log(
            "all jobs have ended" if done else f"{len(left)} jobs have not ended: {[job.name for job in left][:10]}"
        )
        wait_for(lambda: not self._is_left(), RECOVERY_SECONDS, self._supervise)
        wait_for(self._is_told, RECOVERY_SECONDS, self._supervise)

    def _is_told(self) -> bool:
        """Return whether the receiver has the ends of all jobs that exist."""
        told = events.read(self._scene.receiver)
        return all(any(map(is_end, told.get(job.uid, ()))) for job in self._load.jobs if job.deleted_at is None)

    def _is_left(self) -> bool:
        """Return whether a deleted job still has files, or keys that never expire."""
        gone = {job.uid for job in self._load.jobs if job.deleted_at is not None}
        left = [leftover for leftovers in remains.read(self._scene, gone).values() for leftover in leftovers]
        return any(leftover.ttl_seconds is None for leftover in left)

    def _messages(self) -> dict[str, list[str]]:
        """Return by job the messages in the broker when it should be empty."""
        begin = clock.now()
        ended = time.time()
        broker = self._scene.broker
        emptied = wait_for(
            lambda: not remains.messages(broker, ended) and not remains.dangling_tags(broker),
            _EMPTYING_SECONDS,
            self._supervise,
        )
        messages = remains.messages(broker, ended)
        dangling_tags = remains.dangling_tags(broker)
        left = f"messages of {len(messages)} jobs remain" if emptied is None else "the broker is empty"
        self._log(f"{left} after {clock.now() - begin:.1f} s")
        if dangling_tags:
            self._defects.append(
                f"unacked_index names {len(dangling_tags)} messages that are not in unacked: {dangling_tags[:10]}"
            )
        return messages

    def _gather(self) -> Evidence:
        self._load.stop()
        self._results.poll()
        wait_for(self._watcher.catch_up, RECOVERY_SECONDS, self._supervise)
        jobs = self._load.jobs
        uids = {job.uid for job in jobs}
        here = {job.uid for job in jobs if job.deleted_at is None}
        earlier = remains.read(self._scene, uids)
        wait_for(lambda: False, _EXPIRY_SECONDS, self._supervise)
        for name in OPERATORS:
            log = self._scene.process(name).log.read_text(errors="replace")
            self._defects += [f"{name}: {line}" for line in remains.refusals(log)]
        return Evidence(
            jobs=jobs,
            histories={history.uid: history for history in self._watcher.histories},
            runs=journal.read(self._scene.journal_dir),
            outputs=self._results.found,
            final=self._results.there(),
            prefork=PREFORK,
            windows=self._windows,
            lags=self._recovery.lags,
            leftovers=remains.compared(earlier, remains.read(self._scene, uids), _EXPIRY_SECONDS),
            flags=remains.flags(self._scene, here),
            deliveries=self._deliveries.found(jobs),
            delivered=self._deliveries.there(jobs),
            hidden=self._deliveries.hidden(jobs),
            with_files=frozenset(folder.name for folder in self._scene.jobs_dir.iterdir()),
            events=events.read(self._scene.receiver),
            memory={name: growth(samples) for name, samples in sorted(self._memory.samples.items())},
            ended_at=clock.now(),
            retention_seconds=RETENTION_SECONDS,
            bounds=self._bounds,
            slack=self._slack,
        )


def _window(fault: Fault, begin: float) -> Window:
    """Return the window of a fault at its begin; `end` is set later."""
    blocks, deposes = fault.blocks_users or fault.deposes, fault.deposes
    return Window(
        fault.name,
        begin,
        begin,
        fault.cuts,
        blocks_users=blocks,
        harms=fault.harms,
        forgets=fault.forgets,
        deposes=deposes,
        divides=fault.divides,
    )
