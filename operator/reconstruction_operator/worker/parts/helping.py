"""Helping: makes parts of a stage for a run of another worker, as long as the run wants that and no job waits.

A helper writes only its own temporary files and the parts that it makes. It stops as the run itself does: when the job
is cancelled, stopped or deleted, and when the run has ended or is lost.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from redis.exceptions import RedisError

from reconstruction_operator import config, disk
from reconstruction_operator.contract.envelope import PartOrder
from reconstruction_operator.contract.keys import Keys
from reconstruction_operator.jobfiles.layout import JobFolder, Workspace
from reconstruction_operator.models import registry
from reconstruction_operator.models.interface import Model, ModelFailure, PartTurn
from reconstruction_operator.services import job_manager
from reconstruction_operator.state import calls, parts_calls
from reconstruction_operator.state.replies import BeatReply, HelpersUsage, HelpReply
from reconstruction_operator.worker.attempt.ownership import LIFE
from reconstruction_operator.worker.heartbeat import Heartbeat
from reconstruction_operator.worker.interruption import InterruptedRunError
from reconstruction_operator.worker.model.running import run_model
from reconstruction_operator.worker.model.selection import made_by
from reconstruction_operator.worker.model.usage import ModelUsage, usable_threads
from reconstruction_operator.worker.parts.plan import HelpPlan

logger = logging.getLogger(__name__)


class RefusedHelpError(Exception):
    """This worker cannot help the run; the text says why, for people."""


@dataclass
class Helper:
    """A worker that helps one run. `others_wait` returns whether a job waits for this worker."""

    order: PartOrder
    helper: str  # its Celery task id
    worker: str
    others_wait: Callable[[], bool]
    keys: Keys = field(default_factory=Keys)
    made: int = field(init=False, default=0)  # parts
    _usage: ModelUsage | None = field(init=False, default=None)

    def help(self) -> str:
        """Make parts until no more are wanted; return what happened, for the log."""
        first = self._ask()
        if not first.beat.owned or not first.stage:
            return "no help is wanted any more"
        heartbeat = Heartbeat(
            beat=self._beat,
            cancelled=self._cancelled,
            every_seconds=config.settings.BEAT_SECONDS,
            drain_seconds=0.0,  # a helper is not worth a wait
            first=first.beat,
            first_asked_at=time.monotonic(),
        )
        why = ""
        try:
            with heartbeat:
                self._make(first.stage, heartbeat)
            return f"{self.made} parts were made, from {first.stage.partition('~')[0]} on"
        except InterruptedRunError as error:
            return f"the help was stopped ({error.interruption.kind.value}) after {self.made} parts"
        except RefusedHelpError as refusal:
            why = f"{self.worker}: {refusal}"
            return f"this worker cannot help: {refusal}"
        except (ModelFailure, OSError) as failure:  # the run's own attempt at the part decides
            why = f"{self.worker}: {failure}"  # else the run would order the next helper at once
            return f"the help failed after {self.made} parts: {failure}"
        finally:
            self._leave(why)

    def _make(self, stage: str, heartbeat: Heartbeat) -> None:
        space = JobFolder.of(self.order.attempt.job_id).workspace(self.order.workspace)
        plan, model = self._plan(space)
        own = space.plan.with_name(self.helper)
        scratch, output = own / "scratch", own / "output"

        def report(*_: object, **__: object) -> None:
            heartbeat.check()

        try:
            own.mkdir()  # without `parents`: a run that has ended has deleted its folder
            scratch.mkdir()
            output.mkdir()
            threads = usable_threads(config.settings.WORKER_THREADS)
            work = replace(plan.request.work, scratch_dir=scratch, output_dir=output, threads=threads, helps=stage)
            run_model(model, work, report=report, check=heartbeat.check, used=self._note_usage, parts=self._turn)
        finally:
            disk.delete_tree(own)

    def _plan(self, space: Workspace) -> tuple[HelpPlan, Model]:
        try:
            plan = HelpPlan.read(space.plan)
        except FileNotFoundError:
            raise RefusedHelpError("the run's files are not on this worker's volume") from None
        except (OSError, ValueError) as error:
            raise RefusedHelpError(f"the run's plan cannot be read: {error}") from None
        try:
            model = registry.find(plan.request.model)
        except ModelFailure as failure:
            raise RefusedHelpError(failure.message) from None
        if made_by(model) != plan.made_by:
            raise RefusedHelpError(f"it has another version of the model {model.name}")
        return plan, model

    def _turn(self, stage: str, count: int, made: int | None, /) -> PartTurn:
        """Return the next part for the helper's model, or the next stage, as `models.interface.Parts`.

        Raises OSError if Redis, which gives out the parts, is away.
        """
        try:
            return self._take(stage, count, made) if count else self._follow(stage)
        except (RedisError, calls.ProtocolError) as error:
            raise OSError(f"Redis: {error}") from error

    def _follow(self, last: str) -> PartTurn:
        """Return the stage that the run is at after the `last` one; over if it wants no help, or another job waits."""
        if self.others_wait():
            return PartTurn(over=True)
        now = self._ask()
        if not now.beat.owned:
            return PartTurn(over=True)
        return PartTurn() if now.stage == last else PartTurn(over=True, stage=now.stage)

    def _take(self, stage: str, count: int, made: int | None) -> PartTurn:
        self.made += made is not None
        take = parts_calls.take_part(
            self.keys,
            self.order.attempt.job_id,
            run=self.order.run,
            maker=self.helper,
            stage=stage,
            count=count,
            made=made,
            what="leave" if made is not None and self.others_wait() else "take",
        )
        state = calls.run(job_manager.get_redis_client(), take)
        return PartTurn(state.part, state.made, state.over)

    def _ask(self) -> HelpReply:
        call = parts_calls.help_run(
            self.keys,
            self.order.attempt.job_id,
            run=self.order.run,
            helper=self.helper,
            worker=self.worker,
            life=LIFE,
        )
        return calls.run(job_manager.get_redis_client(), call)

    def _beat(self) -> BeatReply:
        return self._ask().beat

    def _cancelled(self) -> bool:
        return bool(job_manager.get_redis_client().exists(self.keys.cancel(self.order.attempt.job_id)))

    def _note_usage(self, usage: ModelUsage) -> None:
        self._usage = usage

    def _leave(self, why: str) -> None:
        used = self._usage
        spent = HelpersUsage() if used is None else HelpersUsage(used.cpu_seconds, used.read_bytes, used.written_bytes)
        call = parts_calls.leave_parts(
            self.keys, self.order.attempt.job_id, run=self.order.run, helper=self.helper, why=why, used=spent
        )
        try:
            calls.run(job_manager.get_redis_client(), call)
        except (RedisError, calls.ProtocolError) as error:  # its heartbeat expires
            logger.info("the end of the help could not be reported: %s", error)
