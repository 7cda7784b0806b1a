"""Sealing of a result: describes it in its manifest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from reconstruction_operator.api import codec
from reconstruction_operator.contract.manifest import Manifest
from reconstruction_operator.jobfiles import manifest as manifests
from reconstruction_operator.models import registry
from reconstruction_operator.models.interface import Result
from reconstruction_operator.state import fields
from reconstruction_operator.worker.attempt.assignment import Assignment
from reconstruction_operator.worker.attempt.observer import AttemptObserver
from reconstruction_operator.worker.model.selection import Choice


def seal(
    output: Path,
    result: Result,
    *,
    choice: Choice,
    assignment: Assignment,
    observer: AttemptObserver,
    check: Callable[[], None],
) -> Manifest:
    """Write the manifest of the files in `output` and return it. `check` is called often, and may raise."""
    model, inputs, usage = choice.model.name, observer.inputs, observer.usage
    placed = {} if result.placement is None else asdict(result.placement)
    manifest = Manifest(
        job_id=assignment.job_id,
        task_id=assignment.task_id,
        model=assignment.model_type,
        simulated=result.simulated,
        attempt=assignment.attempt,
        images=inputs.images,
        input_bytes=inputs.bytes,
        quality=fields.quality(result.quality),
        warning=result.warning,
        placement={codec.camel(name): value for name, value in placed.items()},
        uri=assignment.envelope.output_uri,
        owner=assignment.owner,
        parameters=choice.parameters,
        steps={name: round(seconds, 3) for name, seconds in observer.step_seconds.items()},
        cpu_seconds=None if usage is None else round(usage.cpu_seconds, 3),
        peak_memory_bytes=None if usage is None else usage.peak_bytes,
        resumed_from=observer.resumed_from,
        input_uri=assignment.envelope.input_uri,
        input_digest=observer.input_digest,
        retain_seconds=assignment.envelope.retain_seconds,
        versions={"model": registry.version(model), **registry.versions(model)},
        files=manifests.describe_files(output, check),
    )
    manifests.seal(output, manifest)
    return manifest
