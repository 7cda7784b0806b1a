"""Sealing: the manifest of a run's result, which is written last into the folder of its files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from reconstruction_operator.api import codec
from reconstruction_operator.contract.manifest import MESH, Manifest
from reconstruction_operator.jobfiles import manifest as manifests
from reconstruction_operator.models import registry
from reconstruction_operator.models.interface import ModelFailure, Result
from reconstruction_operator.state import fields
from reconstruction_operator.worker.attempt.assignment import Assignment
from reconstruction_operator.worker.attempt.observer import AttemptObserver
from reconstruction_operator.worker.model.selection import Choice


def seal(
    output: Path,
    result: Result,
    choice: Choice,
    *,
    assignment: Assignment,
    observer: AttemptObserver,
    check: Callable[[], None],
) -> Manifest:
    """Write the manifest of the files in `output` and return it. `check` is called often, and may raise.

    Raises ModelFailure (BACKEND_CRASHED) if the mesh is missing.
    """
    model = choice.model.name
    if not (output / MESH).is_file():
        raise ModelFailure("BACKEND_CRASHED", f"{model} ended without a mesh ({MESH})")
    placed = {} if result.placement is None else asdict(result.placement)
    manifest = Manifest(
        attempt=assignment.attempt,
        model=assignment.model_type,
        simulated=result.simulated,
        findings=fields.assessed(observer.findings, result),
        placement={codec.camel(name): value for name, value in placed.items()},
        stages=result.stages,
        uri=assignment.envelope.output_uri,
        parameters=choice.parameters,
        spec_parameters=assignment.envelope.parameters,
        input_uri=assignment.envelope.input_uri,
        input_digest=observer.input_digest,
        retain_seconds=assignment.envelope.orders.retain_seconds,
        versions={"model": registry.version(model), **registry.versions(model)},
        files=manifests.describe_files(output, check),
    )
    manifests.seal(output, manifest)
    return manifest
