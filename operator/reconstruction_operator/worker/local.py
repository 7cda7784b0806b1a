"""Local run: one reconstruction on this machine, without Kubernetes and Redis.

The photos are checked as for any job, and the model runs in its own process. The caller receives lines:

    {"step": "Running reconstruction", "index": 3, "percent": 40, "fraction": 0.31, "message": "depth map 4/12", "remainingSeconds": 51.2,
     "fact": ""}
    {"result": {"files": [{"name": "model.glb", "bytes": 123}], "quality": {…}, "verdict": "Fine", "message": "Succeeded", "images": 12}}
    {"failure": {"reason": "TOO_FEW_IMAGES", "message": "…"}}

The last line is a result or a failure. `remainingSeconds` is null while it is unknown. `fact` is what the run has
found: the stage after which it continues, or how many photos are aligned. It may be repeated.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from reconstruction_operator import config
from reconstruction_operator.api.status import Status
from reconstruction_operator.api.verdict import verdict
from reconstruction_operator.contract.steps import STEPS, percent_at
from reconstruction_operator.jobfiles import kept_stages
from reconstruction_operator.jobfiles import manifest as manifests
from reconstruction_operator.jobfiles.layout import Workspace
from reconstruction_operator.models.interface import StageFolder, Step, Work
from reconstruction_operator.planning.status import details, messages
from reconstruction_operator.transfer import fetch
from reconstruction_operator.transfer.errors import StorageError
from reconstruction_operator.transfer.limits import Limits, Tick
from reconstruction_operator.transfer.names import Fetched, Ignored, flattened
from reconstruction_operator.worker.attempt.failures import failure_of
from reconstruction_operator.worker.attempt.loading import Loaded, load_photos
from reconstruction_operator.worker.attempt.stages import key as stage_key
from reconstruction_operator.worker.attempt.steps import fraction_of_run
from reconstruction_operator.worker.model.process import run_model
from reconstruction_operator.worker.model.selection import Choice, choose
from reconstruction_operator.worker.model.usage import usable_threads

FAILED: Final = 3
INTERRUPTED: Final = 130
_OF_JOBS: Final = ("INVALID_PARAMETERS", "BACKEND_UNAVAILABLE", "OUTPUT_REFUSED")  # their advice speaks of a cluster

OutputLine = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class LocalRequest:
    """What to reconstruct. `photos`: one folder, or files. `output`: a new or empty folder. `threads`: 0 for all."""

    photos: Sequence[Path]
    output: Path
    model: str
    parameters: Mapping[str, object]
    threads: int = 0


def run(request: LocalRequest, emit: Callable[[OutputLine], None]) -> int:
    """Reconstruct, and call `emit` with each line. Return the exit status."""
    output = request.output
    is_new = not os.path.exists(output)  # noqa: PTH110  # `Path.exists` raises for a name that is too long
    try:
        emit({"result": _reconstruct(request, emit)})
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001  # as in a worker: every end of a run has a reason
        end = failure_of(error, output)
        with_advice = details.failure_of(end.reason, end.message).message  # as in a job's status
        emit({"failure": {"reason": end.reason, "message": end.message if end.reason in _OF_JOBS else with_advice}})
        return FAILED
    finally:
        if is_new:
            with contextlib.suppress(OSError):  # it has files
                output.rmdir()
    return 0


def _reconstruct(request: LocalRequest, emit: Callable[[OutputLine], None]) -> dict[str, Any]:
    output = request.output.absolute()  # the model runs in another working directory
    choice = choose(request.model, request.parameters)
    try:
        output.mkdir(parents=True, exist_ok=True)
        is_used = any(output.iterdir())
    except OSError as error:
        raise StorageError("OUTPUT_REFUSED", f"{output} cannot be made: {error.strerror}") from error
    if is_used:
        raise StorageError("OUTPUT_REFUSED", f"{output} is not empty: name a new folder")
    report = partial(_report, choice, emit)
    with tempfile.TemporaryDirectory(prefix=".reconstruction-", dir=output) as space:
        workspace = Workspace(Path(space))
        for folder in (workspace.photos, workspace.output, workspace.scratch):
            folder.mkdir()
        loaded = _load(request.photos, workspace, choice, lambda part, text: report(Step.LOAD, part, text))
        stages = _stages(workspace.stages, choice, loaded.digest)
        threads = usable_threads(request.threads)
        work = Work(loaded.photos, workspace.scratch, workspace.output, choice.parameters, threads, stages)
        report(Step.PREPROCESS, 0.0)  # a model's process takes seconds until its first report
        result = run_model(choice.model, work, report=report, check=lambda: None)
        if stages is not None:
            with contextlib.suppress(OSError, RuntimeError):  # on another file system, or without a home
                kept_stages.keep(_cache(), stages.path, stages.key, stages.job_id)
        report(Step.FINALIZE, 0.0)
        files = manifests.describe_files(workspace.output, lambda: None)
        for entry in workspace.output.iterdir():
            entry.rename(output / entry.name)
        report(Step.FINALIZE, 1.0)
    return {
        "files": [{"name": file.name, "bytes": file.bytes} for file in files],
        "quality": dict(result.quality),
        "verdict": verdict("Succeeded", result.simulated, result.warning),
        "message": messages.succeeded(Status(simulated=result.simulated, warning=result.warning)),
        "images": len(loaded.photos),
    }


def _stages(folder: Path, choice: Choice, digest: str) -> StageFolder | None:
    """Return the folder of the run's stages, with those of earlier runs from the user's cache; None if none are kept."""
    settings = config.settings
    if choice.simulated or not (settings.KEEP_STAGES_SECONDS and settings.STAGES_MAX_BYTES):
        return None
    key = stage_key(choice, {"input": digest})
    with contextlib.suppress(RuntimeError):  # the user has no home
        kept_stages.expire(_cache(), time.time())
        kept_stages.link(_cache(), key, folder)
    return StageFolder(folder, key, max_bytes=settings.STAGES_MAX_BYTES, job_id=uuid.uuid4().hex)


def _cache() -> Path:
    root = os.environ.get("XDG_CACHE_HOME")
    return (Path(root) if root else Path.home() / ".cache") / "reconstruction-operator" / "stages"


def _load(paths: Sequence[Path], workspace: Workspace, choice: Choice, tick: Tick) -> Loaded:
    """Load the photos with their masks from a folder, or single files."""
    if choice.simulated:
        return Loaded((), "")
    take = partial(_take_files, paths, workspace.photos)
    if len(paths) == 1 and paths[0].is_dir():
        take = partial(fetch.take_folder, paths[0].resolve(), str(paths[0]), workspace.photos)
    return load_photos(take, model=choice.model, workspace=workspace, limits=Limits.from_config(), tick=tick)


def _take_files(paths: Sequence[Path], into: Path, _: Limits, tick: Tick) -> Fetched:
    for path in paths:
        if not path.is_file():
            raise StorageError("INPUT_NOT_FOUND", f"{path} is not a file; name one folder, or files")
    targets = [into / name for name in flattened([str(path.absolute())[1:] for path in paths])]
    for index, (path, target) in enumerate(zip(paths, targets, strict=True)):
        tick(index / len(paths), f"photo {index + 1}/{len(paths)}")
        shutil.copyfile(path, target)
    return Fetched(tuple(targets), Ignored())


def _report(
    choice: Choice,
    emit: Callable[[OutputLine], None],
    step: Step,
    fraction: float,
    message: str = "",
    *,
    resumed: str = "",
    remaining_seconds: float | None = None,
    quality: Mapping[str, object] | None = None,
) -> None:
    known = quality is not None and {"registered", "images"} <= quality.keys()
    aligned = "{registered} of {images} photos aligned".format(**quality or {}) if known else ""
    emit(
        {
            "step": STEPS[step - 1].name,
            "index": int(step),
            "percent": int(percent_at(int(step), fraction)),
            "fraction": round(fraction_of_run(choice.model.step_shares, step, fraction), 4),
            "message": message,
            "remainingSeconds": None if remaining_seconds is None else round(remaining_seconds, 1),
            "fact": f"continues after {resumed}" if resumed else aligned,
        }
    )
