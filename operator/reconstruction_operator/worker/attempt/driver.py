"""One attempt from its first step to a published result. It knows nothing of Celery."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from redis.exceptions import RedisError

from reconstruction_operator import config
from reconstruction_operator.api.status import Inputs, OutputFile, Outputs
from reconstruction_operator.contract.envelope import Envelope
from reconstruction_operator.contract.errors import OvertakenError
from reconstruction_operator.contract.manifest import Manifest
from reconstruction_operator.contract.outcomes import Outcome
from reconstruction_operator.contract.records import End, Owner
from reconstruction_operator.jobfiles import manifest as manifests
from reconstruction_operator.jobfiles import notes, publishing, workspace
from reconstruction_operator.jobfiles.layout import Workspace
from reconstruction_operator.models.exchange import MAX_QUALITY_ITEMS, Request
from reconstruction_operator.models.interface import ModelFailure, Photo, Result, Step, Work
from reconstruction_operator.services import file_handler
from reconstruction_operator.state.errors import ProtocolError
from reconstruction_operator.transfer import delivery, uris
from reconstruction_operator.transfer.errors import StorageError
from reconstruction_operator.transfer.limits import Limits
from reconstruction_operator.worker import deletion
from reconstruction_operator.worker.attempt import ending
from reconstruction_operator.worker.attempt.heartbeat import Heartbeat
from reconstruction_operator.worker.attempt.interruption import (
    InterruptedRunError,
    Interruption,
    Kind,
    call_interruptibly,
    call_within,
)
from reconstruction_operator.worker.attempt.loading import load_photos
from reconstruction_operator.worker.attempt.measuring import Measures
from reconstruction_operator.worker.attempt.steps import Reached, Steps
from reconstruction_operator.worker.attempt.tracing import AttemptTrace
from reconstruction_operator.worker.model.process import run_isolated
from reconstruction_operator.worker.model.selection import Choice, choose
from reconstruction_operator.worker.model.threads import usable_threads

logger = logging.getLogger(__name__)

_MAX_FILES = 16  # in the status

Publish = Callable[[Reached, Inputs | None, bool], None]
"""Takes what was reached, what was read, and whether the report must not be left out."""


@dataclass(frozen=True, slots=True)
class Order:
    """What a message asks for. Without an envelope it is a bare `delay()`."""

    job_id: str
    task_id: str
    model_type: str
    envelope: Envelope | None
    worker: str
    traceparent: str = ""  # W3C Trace Context of who sent it

    @property
    def attempt(self) -> int | None:
        """From 1; None for a bare one."""
        return None if self.envelope is None else self.envelope.attempt


class Attempt:
    """One run of an order."""

    def __init__(self, order: Order, heartbeat: Heartbeat, publish: Publish) -> None:
        self._order = order
        self._heartbeat = heartbeat
        self._publish = publish
        self._steps: Steps | None = None
        self._inputs: Inputs | None = None
        self._workspace: Workspace | None = None
        self._published = False
        self._measures = Measures()
        self._trace = AttemptTrace(order.job_id, order.task_id, order.worker, order.traceparent)

    @property
    def reached(self) -> Reached | None:
        """How far it came; None: not to its first step."""
        return None if self._steps is None else self._steps.reached

    def run(self) -> End:
        """Goes through the six steps; the end is to be recorded by the caller.

        Raises:
            InterruptedRunError: somebody wants it to end; nothing was published.
            ModelFailure, StorageError, OSError, …: it failed; nothing was published.

        """
        try:
            return self._run_steps()
        except OvertakenError:
            raise InterruptedRunError(Interruption(Kind.OVERTAKEN)) from None

    def _run_steps(self) -> End:
        order = self._order
        self._heartbeat.check()
        choice = choose(order.model_type, {} if order.envelope is None else order.envelope.parameters)
        self._measures.model = self._trace.model = choice.model.name
        space, sealed = call_interruptibly(self._begin, self._heartbeat.check)
        if sealed is not None:
            logger.info("job %s has a sealed output of %s already", order.job_id, sealed.task_id)
            self._deliver(file_handler.output_dir(order.job_id), sealed.uri)  # its copy may be gone
            return end_of(sealed, order.worker)
        self._steps = steps = Steps(
            job_id=order.job_id,
            shares=choice.model.step_shares,
            pace_seconds=choice.pace_seconds,
            heartbeat=self._heartbeat,
            publish=self._tell,
        )
        photos = self._load(choice, steps, space)
        result = self._reconstruct(choice, steps, space, photos)
        steps.report(Step.FINALIZE, 0.0)
        return self._finalize(choice, steps, space, result)

    def _begin(self) -> tuple[Workspace, Manifest | None]:
        """The folder that it works in, and the result that an earlier attempt has published."""
        order, check = self._order, self._heartbeat.check
        if self._output_uri:
            delivery.check_uri(self._output_uri, namespace=self._namespace)  # not only after an hour's work
        self._is_owned()  # who stood still since it began must not take away the folder of another run of this attempt
        check()
        self._workspace = space = workspace.prepare(order.job_id, order.task_id, order.attempt)
        try:
            if order.envelope is not None:
                notes.note(space, Owner.of(order.job_id, order.envelope), self._output_uri)
            check()  # who was left behind on a dead mount leaves nothing when that is back
        except InterruptedRunError:
            space.discard()
            raise
        workspace.delete_predecessors(order.job_id)
        return space, None if order.envelope is None else publishing.read_sealed(order.job_id)

    def explain_vanished_files(self) -> None:
        """To be called after a failure. Somebody may have deleted the files because the run is not wanted: asks Redis."""
        if self._workspace is not None and not self._workspace.root.exists():
            self._is_owned()

    def clean_up(self, end: End | None) -> None:
        """To be called when its end is recorded, with the end that counts (None: the attempt was somebody else's)."""
        self._measures.ended(end)
        self._trace.ended(end)
        if self._withdraw(end) and self._workspace is not None:
            self._workspace.discard()
        if self._published and end is None and self._order.envelope is not None:
            # Its result lies there and nobody may know: the job may be gone from Redis, and from the API server as well.
            ending.report_folder(Owner.of(self._order.job_id, self._order.envelope))

    def _withdraw(self, end: End | None) -> bool:
        """Takes back what was delivered of a result that does not count; False: it has to be done yet, and the note stays."""
        order, space = self._order, self._workspace
        if not self._output_uri or (end is not None and end.outcome is Outcome.SUCCEEDED):
            return True
        if end is not None and end.outcome is Outcome.CANCELLED:
            folder = None  # it is deleted by now; and no other attempt begins
        elif space is None or publishing.read_sealed(order.job_id) is not None:
            return True  # a published result is there to be reported, by another attempt if not by this one
        else:
            folder = space.root
        withdraw = partial(delivery.withdraw, self._output_uri, self._run(folder), namespace=self._namespace)
        try:
            call_within(deletion.DELETE_SECONDS, withdraw)
        except OvertakenError:
            return True
        except StorageError as error:
            logger.warning("what was delivered of job %s may not be deleted: %s", order.job_id, error)
        except OSError as error:
            logger.error("could not delete what was delivered of job %s: %s", order.job_id, error)  # noqa: TRY400
            return False
        return True

    def _run(self, folder: Path | None) -> delivery.Run:
        return delivery.Run(self._order.job_id, self._order.attempt or 0, folder)

    @property
    def _output_uri(self) -> str:
        return "" if self._order.envelope is None else self._order.envelope.output_uri

    @property
    def _namespace(self) -> str:
        return "" if self._order.envelope is None else self._order.envelope.namespace

    def _tell(self, reached: Reached, keep: bool) -> None:
        self._measures.reached(reached.step)
        self._trace.reached(reached.step)
        self._publish(reached, self._inputs, keep)

    def _load(self, choice: Choice, steps: Steps, space: Workspace) -> tuple[Photo, ...]:
        steps.report(Step.LOAD, 0.0)
        if choice.simulated:
            return ()

        def advance(fraction: float, message: str) -> None:
            steps.report(Step.LOAD, fraction, message)

        order = self._order
        limits = Limits.from_config(self._namespace)
        load = partial(load_photos, model=choice.model, workspace=space, limits=limits, advance=advance)
        photos = call_interruptibly(lambda: load(order.job_id, order.envelope), self._heartbeat.check)
        self._inputs = Inputs(images=len(photos), bytes=sum(photo.bytes for photo in photos))
        self._measures.read(self._inputs)
        return photos

    def _reconstruct(self, choice: Choice, steps: Steps, space: Workspace, photos: tuple[Photo, ...]) -> Result:
        steps.report(Step.PREPROCESS, 0.0)  # here, since an isolated model takes seconds until it says anything
        work = Work(
            photos=photos,
            scratch_dir=space.scratch,
            output_dir=space.output,
            parameters=choice.parameters,
            threads=usable_threads(config.settings.WORKER_THREADS),
        )
        if not choice.model.isolated:
            return choice.model.run(work, steps.report)
        return run_isolated(
            Request(choice.model.name, work, config.settings.ALIVE_TTL_SECONDS),
            report=steps.report,
            check=self._heartbeat.check,
            memory_limit_bytes=config.settings.MODEL_MEMORY_BYTES,
            title=choice.model.name,
            used=self._measures.used,
        )

    def _finalize(self, choice: Choice, steps: Steps, space: Workspace, result: Result) -> End:
        order, check = self._order, self._heartbeat.check
        if not (space.output / "model.glb").is_file():
            raise ModelFailure("BACKEND_CRASHED", f"{choice.model.name} ended without a mesh (model.glb)")
        manifest = call_interruptibly(lambda: self._seal(space, result, check), check)
        self._deliver(space.output, self._output_uri)
        steps.complete()
        faster = publishing.publish(space, order.job_id, replace=order.envelope is None)
        self._published = faster is None
        return end_of(faster or manifest, order.worker)

    def _deliver(self, source: Path, uri: str) -> None:
        if not uri or self._workspace is None:
            return
        run, check = self._run(self._workspace.root), self._heartbeat.check
        deliver = partial(delivery.deliver, source, uri, run, check, namespace=self._namespace)
        try:
            call_interruptibly(deliver, check)
        except OvertakenError:
            owned = self._is_owned()
            check()
            if owned:
                shown = uris.redacted(uri)
                raise OSError(f"what was copied to {shown} vanished at once: see who else deletes there") from None
            raise

    def _is_owned(self) -> bool:
        """Asks Redis whether this run still has the attempt; the heartbeat hears the answer too. Without Redis: False."""
        try:
            return self._heartbeat.ask_now().owned
        except (RedisError, ProtocolError):
            return False

    def _seal(self, space: Workspace, result: Result, check: Callable[[], None]) -> Manifest:
        order = self._order
        manifest = Manifest(
            job_id=order.job_id,
            task_id=order.task_id,
            model=order.model_type,
            simulated=result.simulated,
            attempt=order.attempt,
            images=None if self._inputs is None else self._inputs.images,
            input_bytes=None if self._inputs is None else self._inputs.bytes,
            quality=_texts(result.quality),
            uri=self._output_uri,
            owner=None if order.envelope is None else Owner.of(order.job_id, order.envelope),
            files=manifests.describe_files(space.output, check),
        )
        manifests.seal(space.output, manifest)
        return manifest


def end_of(manifest: Manifest, worker: str) -> End:
    """The success that a sealed result stands for."""
    read = manifest.images is not None or manifest.input_bytes is not None
    return End(
        Outcome.SUCCEEDED,
        worker=worker,
        simulated=manifest.simulated,
        inputs=Inputs(manifest.images, manifest.input_bytes) if read else None,
        outputs=Outputs(
            uri=manifest.uri or f"file://{file_handler.output_dir(manifest.job_id)}",
            bytes=sum(one.bytes for one in manifest.files),
            files=tuple(OutputFile(one.name, one.bytes) for one in manifest.files[:_MAX_FILES]),
        ),
        quality=manifest.quality,
    )


def _texts(quality: Mapping[str, int | float | str]) -> dict[str, str]:
    """Numbers as text, as the status has them."""
    items = list(quality.items())[:MAX_QUALITY_ITEMS]
    return {name: f"{value:.6g}" if isinstance(value, float) else str(value) for name, value in items}
