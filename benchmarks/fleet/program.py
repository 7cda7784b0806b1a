"""Fleet: one process that speaks the worker's protocol for more jobs at once than workers could run on one machine.

    python -m benchmarks.fleet.program --slots 1000 --job-seconds 60 --journal FILE

With the project's own calls it takes messages by priority, claims attempts, renews heartbeats, checks for cancels,
reports progress as Celery's result backend does, and records ends. It runs no model, writes no files, and does not
track unacknowledged messages. Each line of the journal is a JSON list: the time of the monotonic clock, what happened,
the job's id, the percentage.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import heapq
import itertools
import json
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TextIO, cast

from reconstruction_operator import config
from reconstruction_operator.api.identity import AttemptRef
from reconstruction_operator.broker.celery_settings import CLEANUP_TASK, pool_queues
from reconstruction_operator.contract.keys import Keys
from reconstruction_operator.contract.outcomes import Outcome
from reconstruction_operator.contract.records import End
from reconstruction_operator.contract.steps import STEP_COUNT, STEPS
from reconstruction_operator.state import connections, worker_calls
from reconstruction_operator.state.calls import Call, arun, arun_all
from reconstruction_operator.state.replies import BeatReply, ClaimCode, ClaimReply, FinishCode, FinishReply
from reconstruction_operator.state.results import result_key

NODE: Final = "fleet@127.0.0.1"
BRIEF: Final = "brief"
"""A job whose name starts with it runs for `BRIEF_SECONDS` instead of `--job-seconds`."""

BRIEF_SECONDS: Final = 5.0
_REGISTER_SECONDS: Final = 3.0
_TICK_SECONDS: Final = 0.02
_REPORT_SECONDS: Final = 1.0  # between two reports of a job
_SPREAD: Final = 0.618  # golden ratio: spreads the reports of jobs that begin together
_LIFE: Final = uuid.uuid4().hex
_CANCELLED: Final = End(Outcome.CANCELLED, worker=NODE)


@dataclass
class Run:
    """One attempt that this process runs."""

    attempt: AttemptRef
    seconds: float
    token: str = field(default_factory=lambda: uuid.uuid4().hex)
    begun: float = 0.0
    over: bool = False

    @property
    def job_id(self) -> str:
        """The id of its job."""
        return self.attempt.job_id

    def percent(self, now: float) -> int:
        """Return the progress, by time alone."""
        return min(99, int(100 * (now - self.begun) / self.seconds)) if self.seconds > 0 else 0


class Fleet:
    """The runs, and the due actions of each."""

    def __init__(self, slots: int, job_seconds: float, journal: TextIO) -> None:
        self._free = slots
        self._slots = slots
        self._job_seconds = job_seconds
        self._journal = journal
        self._keys = Keys()
        self._queues = pool_queues(config.settings.WORKER_POOLS)
        self._state = connections.async_state_client()
        self._results = connections.async_results_client()
        self._due: list[tuple[float, int, Callable[[Sequence[Run]], Awaitable[None]], Run]] = []
        self._order = itertools.count()

    async def run(self) -> None:
        """Work until the process is killed."""
        registered = 0.0
        while True:
            now = time.monotonic()
            if now - registered > _REGISTER_SECONDS:
                registered = now
                await arun(self._state, self._registration())
            await self._take()
            await self._work(time.monotonic())
            self._journal.flush()
            await asyncio.sleep(_TICK_SECONDS)

    def _registration(self) -> Call[str]:
        return worker_calls.register_worker(self._keys, node=NODE, queues=self._queues)

    async def _take(self) -> None:
        """Take messages for the free slots, the high queue first, and claim their attempts."""
        runs: list[Run] = []
        for queue in self._queues:
            if self._free <= 0:
                break
            texts = cast("list[str] | None", await self._results.rpop(queue, self._free))
            for text in texts or ():
                job_id, kwargs, task = parse_message(text)
                if task == CLEANUP_TASK:
                    await arun(self._state, worker_calls.mark_cleaned(self._keys, job_id))
                    continue
                attempt = AttemptRef.from_json(kwargs["job"]["attempt"])
                seconds = BRIEF_SECONDS if attempt.job.name.startswith(BRIEF) else self._job_seconds
                runs.append(Run(attempt, seconds))
                self._free -= 1
        claims = [worker_calls.claim(self._keys, run.attempt, token=run.token, worker=NODE) for run in runs]
        replies = await arun_all(self._state, claims)
        for run, reply in zip(runs, replies, strict=True):
            if isinstance(reply, ClaimReply) and reply.code is ClaimCode.CLAIMED:
                self._begin(run)
            else:
                self._free += 1

    def _begin(self, run: Run) -> None:
        run.begun = now = time.monotonic()
        self._note(now, "claimed", run)
        self._schedule(now, self._report, run)
        if run.seconds > _REPORT_SECONDS:
            self._schedule(now + _REPORT_SECONDS * (next(self._order) * _SPREAD % 1), self._report_again, run)
        if run.seconds > config.settings.BEAT_SECONDS:
            self._schedule(now + config.settings.BEAT_SECONDS / 2, self._look, run)
        self._schedule(now + run.seconds, self._end, run)

    def _schedule(self, at: float, action: Callable[[Sequence[Run]], Awaitable[None]], run: Run) -> None:
        heapq.heappush(self._due, (at, next(self._order), action, run))

    async def _work(self, now: float) -> None:
        """Perform all due actions, those of one kind in one round trip."""
        batches: dict[Callable[[Sequence[Run]], Awaitable[None]], list[Run]] = {}
        while self._due and self._due[0][0] <= now:
            _, _, action, run = heapq.heappop(self._due)
            if not run.over:
                batches.setdefault(action, []).append(run)
        for action, runs in batches.items():
            await action(runs)

    async def _report_again(self, runs: Sequence[Run]) -> None:
        for run in runs:
            self._schedule(time.monotonic() + _REPORT_SECONDS, self._report_again, run)
        await self._report(runs)

    async def _report(self, runs: Sequence[Run]) -> None:
        now = time.monotonic()
        clock = time.time()
        for run in runs:
            self._note(now, "reported", run, run.percent(now))
        await self._store([(run, _progress(run, run.percent(now), now, clock)) for run in runs])

    async def _look(self, runs: Sequence[Run]) -> None:
        """Check for a cancel; renew the heartbeat the next time."""
        for run in runs:
            self._schedule(time.monotonic() + config.settings.BEAT_SECONDS / 2, self._beat, run)
        pipeline = self._state.pipeline(transaction=False)
        for run in runs:
            pipeline.exists(self._keys.cancel(run.job_id))
        replies = await pipeline.execute()
        await self._cancel([run for run, cancelled in zip(runs, replies, strict=True) if cancelled])

    async def _beat(self, runs: Sequence[Run]) -> None:
        for run in runs:
            self._schedule(time.monotonic() + config.settings.BEAT_SECONDS / 2, self._look, run)
        beats = [worker_calls.beat(self._keys, run.attempt, token=run.token, worker=NODE, life=_LIFE) for run in runs]
        replies = await arun_all(self._state, beats)
        cancelled = []
        for run, reply in zip(runs, replies, strict=True):
            if isinstance(reply, BeatReply) and not reply.owned:
                run.over = True
                self._free += 1
            elif isinstance(reply, BeatReply) and reply.cancelled:
                cancelled.append(run)
        await self._cancel(cancelled)

    async def _end(self, runs: Sequence[Run]) -> None:
        await self._finish(runs, End(Outcome.SUCCEEDED, worker=NODE, simulated=True))

    async def _cancel(self, runs: Sequence[Run]) -> None:
        await self._finish(runs, _CANCELLED)

    async def _finish(self, runs: Sequence[Run], end: End) -> None:
        now = time.monotonic()
        for run in runs:
            run.over = True
            self._note(now, "ended", run)
        ends = [worker_calls.finish(self._keys, run.attempt, token=run.token, end=end) for run in runs]
        replies = await arun_all(self._state, ends)
        await self._store([(run, _result(run, "SUCCESS", None)) for run in runs])
        self._free += len(runs)
        refused = [pair for pair in zip(runs, replies, strict=True) if _is_cancelled(pair[1])]
        cancels = [worker_calls.finish(self._keys, run.attempt, token=run.token, end=_CANCELLED) for run, _ in refused]
        await arun_all(self._state, cancels)

    async def _store(self, results: Sequence[tuple[Run, str]]) -> None:
        pipeline = self._results.pipeline(transaction=False)
        for run, text in results:
            key = result_key(run.attempt.task_id)
            pipeline.set(key, text, ex=int(config.settings.RESULT_EXPIRES_SECONDS))
            pipeline.publish(key, text)
        await pipeline.execute()

    def _note(self, now: float, what: str, run: Run, percent: int = 0) -> None:
        self._journal.write(f"{json.dumps([now, what, run.job_id, percent])}\n")


def parse_message(text: str) -> tuple[str, dict[str, Any], str]:
    """Return job id, keyword arguments and task name of a kombu message."""
    message = json.loads(text)
    args, kwargs, _ = json.loads(base64.b64decode(message["body"]))
    return str(args[0]), kwargs, str(message["headers"]["task"])


def _is_cancelled(reply: object) -> bool:
    return isinstance(reply, FinishReply) and reply.code is FinishCode.CANCELLED


def _progress(run: Run, percent: int, now: float, clock: float) -> str:
    step = next(step for step in STEPS if percent < step.percent)
    return _result(
        run,
        "PROGRESS",
        {
            "progress": percent,
            "step": step.name,
            "stepIndex": step.index,
            "stepCount": STEP_COUNT,
            "fraction": percent / 100,
            "startedAt": clock - (now - run.begun),
            "at": clock,
            "message": "",
            "worker": NODE,
            "attempt": run.attempt.number,
            "findings": {"inputs": {"images": 11, "bytes": 3_000_000}},
        },
    )


def _result(run: Run, status: str, result: Any) -> str:
    """Return the result as Celery's result backend stores it."""
    return json.dumps(
        {
            "status": status,
            "result": result,
            "traceback": None,
            "children": [],
            "date_done": None,
            "task_id": run.attempt.task_id,
        }
    )


def main() -> None:
    """Run a fleet until it is killed."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.fleet.program", description="A load program: many jobs at once."
    )
    parser.add_argument("--slots", type=int, required=True, help="number of jobs that run at once")
    parser.add_argument("--job-seconds", type=float, required=True, help="how long each job runs")
    parser.add_argument("--journal", type=Path, required=True, metavar="FILE", help="where to write the journal")
    options = parser.parse_args()
    with options.journal.open("w") as journal:
        asyncio.run(Fleet(options.slots, options.job_seconds, journal).run())


if __name__ == "__main__":
    main()
