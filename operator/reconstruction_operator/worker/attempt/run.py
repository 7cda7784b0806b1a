"""Run of an attempt: its six steps, from an empty workspace to a published result, and the clean-up of its files."""

from __future__ import annotations

import logging
from dataclasses import replace
from functools import partial

from reconstruction_operator import config, exhaustion
from reconstruction_operator.api.attempt_status import Inputs
from reconstruction_operator.api.spec import REQUIRED
from reconstruction_operator.contract import outcomes, pools
from reconstruction_operator.contract.attempt import SupersededError
from reconstruction_operator.contract.envelope import PartOrder
from reconstruction_operator.contract.fingerprint import KnownInput
from reconstruction_operator.contract.manifest import Manifest
from reconstruction_operator.contract.outcomes import Outcome
from reconstruction_operator.contract.records import End
from reconstruction_operator.jobfiles import publishing, results, workspace
from reconstruction_operator.jobfiles.kept_stages import Origin, RunStages
from reconstruction_operator.jobfiles.layout import Workspace
from reconstruction_operator.models.exchange import RunRequest
from reconstruction_operator.models.interface import ModelFailure, Result, StageElsewhere, StageFolder, Step, Work
from reconstruction_operator.planning.models import stages_problem
from reconstruction_operator.services import file_handler
from reconstruction_operator.transfer.errors import StorageError
from reconstruction_operator.transfer.limits import Limits
from reconstruction_operator.worker.attempt.assignment import Assignment
from reconstruction_operator.worker.attempt.copies import Copies
from reconstruction_operator.worker.attempt.ending import end_of_success
from reconstruction_operator.worker.attempt.failures import failure_of, with_room
from reconstruction_operator.worker.attempt.loading import Loaded, input_of, load_photos
from reconstruction_operator.worker.attempt.observer import AttemptObserver
from reconstruction_operator.worker.attempt.quota import VolumeQuota
from reconstruction_operator.worker.attempt.reuse import EarlierResults
from reconstruction_operator.worker.attempt.sealing import seal
from reconstruction_operator.worker.attempt.steps import Reached, Steps
from reconstruction_operator.worker.heartbeat import Heartbeat
from reconstruction_operator.worker.interruption import (
    InterruptedRunError,
    Interruption,
    InterruptionKind,
    call_interruptibly,
)
from reconstruction_operator.worker.model.running import run_model
from reconstruction_operator.worker.model.selection import Choice, choose, made_by
from reconstruction_operator.worker.model.usage import usable_threads
from reconstruction_operator.worker.parts.plan import HelpPlan
from reconstruction_operator.worker.parts.sharing import SendOrder, Sharing

logger = logging.getLogger(__name__)


class AttemptRun:
    """One run of a claimed attempt. It records nothing in Redis: the driver does."""

    def __init__(
        self,
        assignment: Assignment,
        heartbeat: Heartbeat,
        observer: AttemptObserver,
        *,
        token: str = "",
        order: SendOrder | None = None,
    ) -> None:
        """`token` is that of the run's claim; `order` sends orders to workers that help it."""
        self._assignment = assignment
        self._run_token = token
        self._order = order
        self._heartbeat = heartbeat
        self._observer = observer
        self._steps: Steps | None = None
        self._workspace: Workspace | None = None
        self._stages: RunStages | None = None
        self._earlier = EarlierResults(assignment)
        self._copies = Copies(assignment, heartbeat)
        self._quota = VolumeQuota(assignment)
        self._model_began = False  # from then on, the model itself may have used up the worker's processes
        self.published = False  # whether this run's own result became the job's
        self.result: Manifest | None = None  # the job's published result, of this run or another

    @property
    def reached(self) -> Reached | None:
        """The progress of the run; None before its first step."""
        return None if self._steps is None else self._steps.reached

    def execute(self) -> End:
        """Go through the six steps.

        The result is published even if its copy was refused, failed or timed out.

        Raises InterruptedRunError if the run has to end, ReconstructionFailedError if it failed, StageElsewhere if
        another worker is to continue.
        """
        try:
            return self._execute()
        except (InterruptedRunError, StageElsewhere):
            raise
        except SupersededError:
            raise InterruptedRunError(Interruption(InterruptionKind.SUPERSEDED)) from None
        except Exception as error:
            if exhaustion.is_exhausted(error) and not self._model_began:
                self._heartbeat.check()
                raise InterruptedRunError(Interruption(InterruptionKind.EXHAUSTED)) from error
            if self._workspace is not None and not self._workspace.root.exists():
                self._heartbeat.confirm()  # files that were deleted mean that the run may not be wanted any more
            self._heartbeat.check()
            assignment = self._assignment
            failure = failure_of(error, file_handler.job_dir(assignment.job.uid))
            self._quota.end()
            raise with_room(failure, assignment.job.namespace, self._workspace, self._heartbeat.wait) from error

    def leave(self) -> None:
        """Keep what the next leg of the attempt needs, and delete all else: from then on it belongs to that leg."""
        self._quota.end()
        if self._workspace is not None:
            workspace.keep_for_the_next(self._workspace, stages=True)
            self._quota.settle()

    def clean_up(self, end: End | None) -> None:
        """Delete the run's files, except a result that counts, and photos and stages for the next attempt or other
        jobs.

        `end` is the recorded end.
        """
        self._quota.end()
        self._delete_files(end)
        if self._workspace is not None:
            self._quota.settle()

    def _check(self) -> None:
        """Raise InterruptedRunError or ModelFailure if the run has to end."""
        self._heartbeat.check()
        self._quota.check()

    def _delete_files(self, end: End | None) -> None:
        space = self._workspace
        if not self._copies.withdraw(end, space) or space is None:
            return
        if end is not None and self._is_repeated(end):
            useful = self._stages is not None and self._stages.are_useful(end)
            if workspace.keep_for_the_next(space, stages=useful):
                return
        if self.published and self._stages is not None and end is not None and end.outcome is Outcome.SUCCEEDED:
            self._stages.keep()
        space.discard()

    def _is_repeated(self, end: End) -> bool:
        """Return whether another attempt may follow and use the files of this one.

        Without room, everything is deleted.
        """
        if self.result is not None or end.outcome not in (Outcome.FAILED, Outcome.STOPPED):
            return False
        if end.outcome is Outcome.FAILED and self._assignment.envelope.orders.last:
            return False
        return end.reason not in ("DISK_FULL", "VOLUME_QUOTA") and outcomes.reason(end.reason).retriable

    def _execute(self) -> End:
        assignment, check = self._assignment, self._check
        check()
        self._check_pool()
        # With Required the job takes over a result, and never runs its model
        runs = assignment.envelope.orders.reuse != REQUIRED
        choice = choose(assignment.model_type, assignment.envelope.parameters) if runs else None
        if choice is not None:
            self._observer.model = choice.model.name
            self._check_stages(choice)
        space, sealed = call_interruptibly(partial(self._begin, choice), check)
        if sealed is not None:
            logger.info("job %s already has a sealed output of task %s", assignment.job.uid, sealed.attempt.task_id)
            self.result = sealed
            # The copy may be missing.
            self._copies.deliver(file_handler.output_dir(assignment.job.uid), sealed.uri, space)
            return end_of_success(sealed, assignment.worker)
        self._steps = steps = Steps(
            job_id=assignment.job.uid,
            shares={} if choice is None else choice.model.step_shares,
            pace_seconds=None if choice is None else choice.pace_seconds,
            heartbeat=self._heartbeat,
            publish=self._observer.reached,
            check=self._check,
        )
        steps.report(Step.LOAD, 0.0)
        if choice is None:
            return self._conclude(steps, space, self._take_over_newest(space))
        loaded = self._load_or_take_over(choice, steps, space)
        if isinstance(loaded, Manifest):
            return self._conclude(steps, space, loaded)
        if self._earlier.results and assignment.envelope.output_uri:
            call_interruptibly(self._copies.replace_no_other, check)
        result = self._reconstruct(choice, steps, space, loaded)
        steps.report(Step.FINALIZE, 0.0)
        seal_result = partial(
            seal, space.output, result, choice, assignment=assignment, observer=self._observer, check=check
        )
        return self._conclude(steps, space, call_interruptibly(seal_result, check))

    def _check_pool(self) -> None:
        """Raise ModelFailure if the queue is not open to the job's namespace."""
        attempt = self._assignment.attempt
        if not attempt.is_bare:
            pool = pools.pool_of(attempt.queue)
            foreign = pools.refusal(config.settings.POOL_NAMESPACES, pool, attempt.job.namespace)
            if foreign:
                raise ModelFailure("QUEUE_REFUSED", foreign)

    def _check_stages(self, choice: Choice) -> None:
        """Raise ModelFailure if spec.stageQueues names a stage that the model does not have."""
        assignment, legs = self._assignment, self._assignment.envelope.orders.legs
        if legs is not None and not legs.of_pool and choice.model.name == assignment.model_type:
            problem = stages_problem(legs.queues, choice.stage_names)
            if problem:
                raise ModelFailure("INVALID_SPEC", problem)

    def _begin(self, choice: Choice | None) -> tuple[Workspace, Manifest | None]:
        """Prepare the workspace; return it, and the result that an earlier attempt has published, if any."""
        assignment, check = self._assignment, self._check
        self._earlier = EarlierResults.find(assignment, choice)
        self._heartbeat.refresh()  # a run that was paused must not retire the workspace of its successor
        check()
        self._workspace = space = workspace.prepare(assignment.attempt)
        try:
            self._copies.begin(space, self._earlier.job_ids)
            check()  # this thread may have hung on a mount that responds again
        except InterruptedRunError:
            if not self._copies.may_arrive:
                space.discard()
            raise
        workspace.delete_predecessors(assignment.job.uid, space)
        self._quota.begin()
        self._stages = RunStages(space, assignment.attempt)
        return space, None if assignment.attempt.is_bare else publishing.read_sealed(assignment.job.uid)

    def _load(self, choice: Choice, steps: Steps, space: Workspace, known: tuple[KnownInput, ...]) -> Loaded:
        if choice.simulated:
            return Loaded((), "")
        assignment = self._assignment
        limits = replace(Limits.from_config(assignment.job.namespace), known=known)
        tick = partial(steps.report, Step.LOAD)
        load = partial(load_photos, model=choice.model, workspace=space, limits=limits, tick=tick)
        loaded = call_interruptibly(lambda: load(input_of(assignment.envelope, space)), self._check)
        if not loaded.known:
            self._observer.input_digest = loaded.digest
            self._observer.read(Inputs(len(loaded.photos), loaded.bytes))
        return loaded

    def _take_over(self, space: Workspace, digest: str | None = None) -> Manifest | None:
        take_over = partial(self._earlier.take_over, space.output, self._check, digest)
        return call_interruptibly(take_over, self._check)

    def _take_over_newest(self, space: Workspace) -> Manifest:
        """Take over the newest earlier result. Raises ModelFailure if there is none."""
        manifest = self._take_over(space)
        if manifest is None:
            text = f"no result of an earlier job {self._assignment.job} is on the volume of this worker"
            raise ModelFailure("RESULT_NOT_FOUND", text)
        return manifest

    def _load_or_take_over(self, choice: Choice, steps: Steps, space: Workspace) -> Loaded | Manifest:
        """Return the photos, or the earlier result of the same input, which was taken over."""
        loaded = self._load(choice, steps, space, self._earlier.inputs)
        if not loaded.known:
            return loaded
        manifest = self._take_over(space, loaded.digest)
        if manifest is not None:
            return manifest
        workspace.empty(space.photos)
        return self._load(choice, steps, space, ())

    def _reconstruct(self, choice: Choice, steps: Steps, space: Workspace, loaded: Loaded) -> Result:
        stages = self._stages or RunStages(space, self._assignment.attempt)
        steps.report(Step.PREPROCESS, 0.0)  # an isolated model takes seconds until its first report
        check, used = self._check, self._observer.used
        folder = call_interruptibly(partial(stage_folder, stages, self._assignment, choice, loaded), check)
        work = Work(
            photos=loaded.photos,
            scratch_dir=space.scratch,
            output_dir=space.output,
            parameters=choice.parameters,
            threads=1 if choice.simulated else usable_threads(config.settings.WORKER_THREADS),
            stages=folder,
        )
        self._model_began = True
        sharing = self._sharing(choice, space, work)
        try:
            if sharing is None:
                return run_model(choice.model, work, report=steps.report, check=check, used=used)

            def check_and_look() -> None:
                check()
                sharing.look()

            report = steps.report
            return run_model(choice.model, work, report=report, check=check_and_look, used=used, parts=sharing.turn)
        except exhaustion.ExhaustedError:
            self._model_began = False  # its process could not be started
            raise
        finally:
            if sharing is not None:
                self._observer.helped = sharing.close()

    def _sharing(self, choice: Choice, space: Workspace, work: Work) -> Sharing | None:
        """Return how other workers help the run; None if they do not."""
        attempt, most = self._assignment.attempt, self._assignment.envelope.orders.parts or config.settings.WORKER_PARTS
        if self._order is None or most <= 1 or attempt.is_bare or work.stages is None or not choice.makes_parts:
            return None
        order = PartOrder(attempt, self._run_token, space.root.name)
        plan = HelpPlan(RunRequest(choice.model.name, work, config.settings.ALIVE_TTL_SECONDS), made_by(choice.model))
        return Sharing(order, most, space, plan, self._order, self._observer.shared)

    def _conclude(self, steps: Steps, space: Workspace, manifest: Manifest) -> End:
        """Deliver and publish the sealed result in the workspace."""
        assignment = self._assignment
        self._quota.end()  # a finished result is worth more than the limit: the next run is refused
        steps.report(Step.FINALIZE, 0.0)
        try:
            tick = partial(steps.report, Step.FINALIZE)
            self._copies.deliver(space.output, assignment.envelope.output_uri, space, tick)
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
        """Publish the result. Return the result that counts, which is another attempt's if that was faster."""
        assignment = self._assignment
        is_bare = assignment.attempt.is_bare
        if not is_bare:
            results.note(assignment.job)
        faster = publishing.publish(space, assignment.job.uid, replace=is_bare)
        self.published = faster is None
        self.result = faster or manifest
        return self.result


def stage_folder(stages: RunStages, assignment: Assignment, choice: Choice, loaded: Loaded) -> StageFolder | None:
    """Return the folder of the model's stages, with those of other jobs; None if the settings allow none."""
    most, attempt = config.settings.STAGES_MAX_BYTES, assignment.attempt
    if not most:
        return None
    key = choice.stages_key(loaded.digest)
    family = choice.stages_key("")
    if loaded.digest and not attempt.is_bare:
        stages.share(key, Origin(family, loaded.digests), choice.shared_stages)
    legs = assignment.envelope.orders.legs
    elsewhere = {} if legs is None else legs.elsewhere(choice.stage_names, pools.pool_of(attempt.queue))
    return StageFolder(stages.folder, key, attempt.number, most, attempt.job_id, attempt.job.name, family, elsewhere)
