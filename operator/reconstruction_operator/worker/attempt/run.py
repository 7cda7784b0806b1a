"""Run of an attempt: its six steps, from an empty workspace to a published result, and its files afterwards."""

from __future__ import annotations

import logging
from functools import partial
from pathlib import Path

from reconstruction_operator import config
from reconstruction_operator.api.status import Inputs
from reconstruction_operator.contract import outcomes, pools
from reconstruction_operator.contract.errors import OvertakenError
from reconstruction_operator.contract.manifest import Manifest
from reconstruction_operator.contract.outcomes import Outcome
from reconstruction_operator.contract.records import End
from reconstruction_operator.jobfiles import notes, publishing, workspace
from reconstruction_operator.jobfiles.layout import Workspace
from reconstruction_operator.models.exchange import RunRequest
from reconstruction_operator.models.interface import ModelFailure, Photo, Result, Step, Work
from reconstruction_operator.services import file_handler
from reconstruction_operator.transfer import delivery, outputs, uris
from reconstruction_operator.transfer.errors import StorageError
from reconstruction_operator.transfer.limits import Limits, Tick
from reconstruction_operator.worker import deletion
from reconstruction_operator.worker.attempt import sealing
from reconstruction_operator.worker.attempt.assignment import Assignment
from reconstruction_operator.worker.attempt.ending import end_of_success
from reconstruction_operator.worker.attempt.failures import failure_of
from reconstruction_operator.worker.attempt.heartbeat import Heartbeat
from reconstruction_operator.worker.attempt.interruption import (
    InterruptedRunError,
    Interruption,
    InterruptionKind,
    call_interruptibly,
)
from reconstruction_operator.worker.attempt.loading import load_photos
from reconstruction_operator.worker.attempt.observer import AttemptObserver
from reconstruction_operator.worker.attempt.stages import AttemptStages
from reconstruction_operator.worker.attempt.steps import Reached, Steps
from reconstruction_operator.worker.model.process import run_isolated
from reconstruction_operator.worker.model.selection import Choice, choose
from reconstruction_operator.worker.model.threads import usable_threads

logger = logging.getLogger(__name__)


class AttemptRun:
    """One run of a claimed attempt. It records nothing in Redis: the driver does."""

    def __init__(self, assignment: Assignment, heartbeat: Heartbeat, observer: AttemptObserver) -> None:
        self._assignment = assignment
        self._heartbeat = heartbeat
        self._observer = observer
        self._steps: Steps | None = None
        self._workspace: Workspace | None = None
        self._stages: AttemptStages | None = None
        self.published = False  # whether this run's own result became the job's
        self.result: Manifest | None = None  # the job's published result, by this run or another

    @property
    def reached(self) -> Reached | None:
        """How far it has come; None: its first step has not begun."""
        return None if self._steps is None else self._steps.reached

    def execute(self) -> End:
        """Go through the six steps.

        Raises InterruptedRunError if the run has to end, ReconstructionFailedError if it failed. The result is published also if
        only its copy was refused, failed, or had no time.
        """
        try:
            return self._execute()
        except InterruptedRunError:
            raise
        except OvertakenError:
            raise InterruptedRunError(Interruption(InterruptionKind.OVERTAKEN)) from None
        except Exception as error:
            self._explain_vanished_files()
            self._heartbeat.check()
            raise failure_of(error, file_handler.job_dir(self._assignment.job_id)) from error

    def clean_up(self, end: End | None) -> None:
        """Delete the run's files, except a result that counts and what the next attempt need not fetch; `end` is the recorded one."""
        space = self._workspace
        if not self._withdraw(end) or space is None:
            return
        if end is not None and self._is_repeated(end):
            of_use = self._stages is not None and self._stages.are_of_use(
                end, resumed=bool(self._observer.resumed_from)
            )
            if workspace.keep_for_the_next(space, stages=of_use):
                return
        space.discard()

    def _is_repeated(self, end: End) -> bool:
        """Whether another attempt may follow that goes on from this one. On a full disk, everything is deleted."""
        if self.result is not None or end.outcome not in (Outcome.FAILED, Outcome.STOPPED):
            return False
        envelope = self._assignment.envelope
        if end.outcome is Outcome.FAILED and (envelope is None or envelope.last):
            return False
        return end.reason != "DISK_FULL" and outcomes.reason(end.reason).retriable

    def _execute(self) -> End:
        assignment, check = self._assignment, self._heartbeat.check
        check()
        if assignment.envelope is not None:
            foreign = pools.refusal(config.settings.POOL_NAMESPACES, assignment.pool, assignment.namespace)
            if foreign:
                raise ModelFailure("QUEUE_REFUSED", foreign)
        choice = choose(assignment.model_type, assignment.parameters)
        self._observer.model = choice.model.name
        space, sealed = call_interruptibly(self._begin, check)
        if sealed is not None:
            logger.info("job %s has a sealed output of %s already", assignment.job_id, sealed.task_id)
            self.result = sealed
            self._deliver(file_handler.output_dir(assignment.job_id), sealed.uri, space)  # the copy may be missing
            return end_of_success(sealed, assignment.worker)
        self._steps = steps = Steps(
            job_id=assignment.job_id,
            shares=choice.model.step_shares,
            pace_seconds=choice.pace_seconds,
            heartbeat=self._heartbeat,
            publish=self._observer.reached,
        )
        photos = self._load(choice, steps, space)
        result = self._reconstruct(choice, steps, space, photos)
        steps.report(Step.FINALIZE, 0.0)
        return self._finalize(choice, steps, space, result)

    def _begin(self) -> tuple[Workspace, Manifest | None]:
        """Prepare the workspace; returns also the result that an earlier attempt has published, if any."""
        assignment, check = self._assignment, self._heartbeat.check
        # A run that was paused must not retire the workspace of its successor.
        if assignment.output_uri:
            self._check_output()
            self._heartbeat.confirm()  # that may have waited for a disk
        else:
            self._heartbeat.refresh()
        check()
        self._workspace = space = workspace.prepare(assignment.job_id, assignment.task_id, assignment.attempt)
        try:
            if assignment.owner is not None:
                notes.note(space, assignment.owner, assignment.output_uri)
            check()  # this thread may have been left behind on a dead mount that answers again
        except InterruptedRunError:
            space.discard()
            raise
        workspace.delete_predecessors(assignment.job_id, space)
        self._stages = AttemptStages(space)
        return space, None if assignment.envelope is None else publishing.read_sealed(assignment.job_id)

    def _check_output(self) -> None:
        """Raises StorageError before the work if its copy would be refused after hours of it."""
        assignment = self._assignment
        try:
            outputs.check(
                assignment.output_uri,
                self._delivery(None),
                namespace=assignment.namespace,
                check=self._heartbeat.check,
            )
        except OvertakenError:
            pass  # the workspace decides which run is the later one
        except StorageError:
            if publishing.read_sealed(assignment.job_id) is None:  # otherwise it is reported together with the refusal
                raise

    def _load(self, choice: Choice, steps: Steps, space: Workspace) -> tuple[Photo, ...]:
        steps.report(Step.LOAD, 0.0)
        if choice.simulated:
            return ()

        assignment = self._assignment
        limits, tick = Limits.from_config(assignment.namespace), partial(steps.report, Step.LOAD)
        load = partial(load_photos, model=choice.model, workspace=space, limits=limits, tick=tick)
        photos = call_interruptibly(lambda: load(assignment.job_id, assignment.envelope), self._heartbeat.check)
        self._observer.read(Inputs(images=len(photos), bytes=sum(photo.bytes for photo in photos)))
        return photos

    def _reconstruct(self, choice: Choice, steps: Steps, space: Workspace, photos: tuple[Photo, ...]) -> Result:
        check, attempt = self._heartbeat.check, self._assignment.attempt
        kept = self._stages or AttemptStages(space)
        stages = call_interruptibly(partial(kept.folder, choice, photos, attempt, check), check)
        steps.report(Step.PREPROCESS, 0.0)  # an isolated model takes seconds until its first report
        work = Work(
            photos=photos,
            scratch_dir=space.scratch,
            output_dir=space.output,
            parameters=choice.parameters,
            threads=1 if choice.simulated else usable_threads(config.settings.WORKER_THREADS),
            stages=stages,
        )
        if not choice.model.isolated:
            return choice.model.run(work, steps.report)
        return run_isolated(
            RunRequest(choice.model.name, work, config.settings.ALIVE_TTL_SECONDS),
            report=steps.report,
            check=check,
            memory_limit_bytes=config.settings.MODEL_MEMORY_BYTES,
            title=choice.model.name,
            used=self._observer.used,
        )

    def _finalize(self, choice: Choice, steps: Steps, space: Workspace, result: Result) -> End:
        assignment = self._assignment
        if not (space.output / "model.glb").is_file():
            raise ModelFailure("BACKEND_CRASHED", f"{choice.model.name} ended without a mesh (model.glb)")
        check, observer = self._heartbeat.check, self._observer
        manifest = call_interruptibly(
            lambda: sealing.seal(
                space.output, result, choice=choice, assignment=assignment, observer=observer, check=check
            ),
            check,
        )
        try:
            self._deliver(space.output, assignment.output_uri, space, partial(steps.report, Step.FINALIZE))
        except (StorageError, OSError):
            self._publish(space, manifest)
            raise
        except InterruptedRunError as error:
            if error.interruption.keeps_result:
                self._publish(space, manifest)
            raise
        steps.complete()
        return end_of_success(self._publish(space, manifest), assignment.worker)

    def _publish(self, space: Workspace, manifest: Manifest) -> Manifest:
        """Publish the result; returns the one that counts, which is another's if that was faster."""
        assignment = self._assignment
        faster = publishing.publish(space, assignment.job_id, replace=assignment.envelope is None)
        self.published = faster is None
        self.result = faster or manifest
        return self.result

    def _deliver(self, source: Path, uri: str, space: Workspace, tick: Tick = lambda *_: None) -> None:
        if not uri:
            return
        run, check = self._delivery(space.root), self._heartbeat.check
        deliver = partial(outputs.deliver, source, uri, run, check, namespace=self._assignment.namespace, tick=tick)
        try:
            # A thread that is left behind could go on while a cancel deletes what was delivered: a process is killed.
            deliver() if outputs.ends_with_its_caller(uri) else call_interruptibly(deliver, check)
        except OvertakenError:
            owned = self._heartbeat.confirm()
            check()
            if owned:
                shown = uris.redacted(uri)
                raise OSError(
                    f"what was copied to {shown} vanished at once: another program deletes files there"
                ) from None
            raise

    def _withdraw(self, end: End | None) -> bool:
        """Delete the delivered copy of a result that does not count; False: not done, so the note of it must stay."""
        assignment, space = self._assignment, self._workspace
        if not assignment.output_uri or (end is not None and end.outcome is Outcome.SUCCEEDED):
            return True
        if end is not None and end.outcome is Outcome.CANCELLED:
            folder = ""  # it has been deleted, and no other attempt begins
        elif space is None or publishing.read_sealed(assignment.job_id) is not None:
            return True  # this attempt or another reports the published result
        else:
            folder = str(space.root)
        attempt, namespace = assignment.attempt or 0, assignment.namespace
        try:
            deletion.withdraw(assignment.output_uri, assignment.job_id, attempt, workspace=folder, namespace=namespace)
        except OvertakenError:
            return True
        except StorageError as error:
            logger.warning("the delivered copy of job %s may not be deleted: %s", assignment.job_id, error)
        except OSError as error:
            logger.error("could not delete the delivered copy of job %s: %s", assignment.job_id, error)  # noqa: TRY400  # the message is enough
            return False
        return True

    def _delivery(self, folder: Path | None) -> delivery.Run:
        return delivery.Run(self._assignment.job_id, self._assignment.attempt or 0, folder)

    def _explain_vanished_files(self) -> None:
        """If another program deleted the workspace, perhaps because the run is not wanted, learn that from Redis."""
        if self._workspace is not None and not self._workspace.root.exists():
            self._heartbeat.confirm()
