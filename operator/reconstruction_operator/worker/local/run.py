"""Local run: checks a request, reconstructs, and reports each step.

The photos are checked as for any job, and the model runs in its own process. The caller receives lines:

    {"step": "Running reconstruction", "index": 3, "percent": 40, "fraction": 0.31, "message": "depth map 4/12",
    "remainingSeconds": 51.2, "fact": ""}
    {"result": {"files": [{"name": "model.glb", "bytes": 123}], "quality": {…}, "size": "", "stages": {"photos": "…"},
    "verdict": "Fine", "message": "Succeeded: a mesh of 12 of 12 photos", "images": 12}}
    {"failure": {"reason": "TOO_FEW_IMAGES", "message": "…"}}

The last line is a result or a failure. `remainingSeconds` is null while it is unknown. `fact` is what the run has
found: the stage after which it continues, how many photos are aligned and which are left out, or why it keeps no
stages. It may be repeated.
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
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import Any, Final

from reconstruction_operator import config
from reconstruction_operator.api.status import Status
from reconstruction_operator.api.verdict import verdict
from reconstruction_operator.contract.steps import STEPS, percent_at
from reconstruction_operator.jobfiles import kept_stages
from reconstruction_operator.jobfiles import manifest as manifests
from reconstruction_operator.jobfiles.kept_stages import Origin
from reconstruction_operator.jobfiles.layout import Workspace
from reconstruction_operator.models import registry
from reconstruction_operator.models.interface import ModelFailure, StageFolder, Step, Work
from reconstruction_operator.planning.status import messages
from reconstruction_operator.transfer import fetch
from reconstruction_operator.transfer.errors import StorageError
from reconstruction_operator.transfer.limits import Limits, Tick
from reconstruction_operator.transfer.names import Fetched, Ignored, flattened
from reconstruction_operator.worker.attempt.loading import Loaded, load_photos
from reconstruction_operator.worker.attempt.steps import fraction_of_run
from reconstruction_operator.worker.local import output as output_folder
from reconstruction_operator.worker.local.failures import failure_of
from reconstruction_operator.worker.model.running import run_model
from reconstruction_operator.worker.model.selection import Choice, choose
from reconstruction_operator.worker.model.usage import usable_threads

USAGE: Final = 2
FAILED: Final = 3
INTERRUPTED: Final = 130
# Of a command line that cannot be carried out. Only a model itself can report them after the start.
_OF_USAGE: Final = ("BACKEND_UNAVAILABLE", "INPUT_NOT_FOUND", "INVALID_PARAMETERS", output_folder.REFUSED)

KEPT_STAGES: Final = Path("reconstruction-operator/stages")
"""Stages of successful runs, below the user's folder of caches."""

OutputLine = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class LocalRequest:
    """What to reconstruct. `photos`: one folder, or files. `output`: a new or empty folder. `threads`: 0 for all."""

    photos: Sequence[str]
    output: str
    model: str
    parameters: Mapping[str, object]
    threads: int = 0


def run(request: LocalRequest, emit: Callable[[OutputLine], None]) -> int:
    """Reconstruct, and call `emit` with each line. Return the exit status."""
    return _ended(request, emit, lambda: emit({"result": _reconstruct(request, emit)}))


def check(request: LocalRequest, emit: Callable[[OutputLine], None]) -> int:
    """Check all that needs no photo. Return the exit status, after a line with the failure if there is one."""

    def checked() -> None:
        _choice(request)
        with output_folder.opened(_output(request)):
            pass

    return _ended(request, emit, checked)


def _ended(request: LocalRequest, emit: Callable[[OutputLine], None], work: Callable[[], None]) -> int:
    try:
        work()
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001  # as in a worker: every end of a run has a reason
        reason, message = failure_of(error, Path(request.output).absolute())
        emit({"failure": {"reason": reason, "message": message}})
        return USAGE if reason in _OF_USAGE else FAILED
    return 0


def _choice(request: LocalRequest) -> Choice:
    """Return the model.

    Raises ModelFailure for one that cannot run here, for its parameters, and for addresses of photos.
    """
    for path in request.photos:
        if "://" in path:
            text = f"{path} is an address: download the photos, or submit it to a cluster (kubectl recon submit)"
            raise StorageError("INPUT_NOT_FOUND", text)
    try:
        return choose(request.model, request.parameters)
    except registry.UnknownModelError as error:
        here = registry.available()
        meant = "".join(f"did you mean {name}? " for name in get_close_matches(request.model, error.known, 1))
        text = f"there is no model {request.model!r:.80}: {meant}This machine has {', '.join(here) or 'none'}"
        raise ModelFailure("BACKEND_UNAVAILABLE", text) from error
    except registry.UnavailableModelError as error:
        text = f"model {request.model} cannot run on this machine: {error.why}"
        raise ModelFailure("BACKEND_UNAVAILABLE", text) from error


def _output(request: LocalRequest) -> Path:
    """Return the folder. Raises StorageError for an address."""
    scheme, is_address, path = request.output.partition("://")
    if not is_address:
        return Path(request.output).absolute()  # the model runs in another working directory
    if scheme == "file":
        raise StorageError(output_folder.REFUSED, f"{request.output} is an address: write the path, {path}")
    text = (
        f"{request.output} is an address, and the result goes to a folder of this machine: name one, "
        "and copy it afterwards"
    )
    raise StorageError(
        output_folder.REFUSED, f"{text}, or submit the photos to a cluster (kubectl recon submit --output)"
    )


def _reconstruct(request: LocalRequest, emit: Callable[[OutputLine], None]) -> dict[str, Any]:
    choice = _choice(request)
    output = _output(request)
    with output_folder.opened(output) as space:
        return _in_space(Workspace(space), output, choice, request, emit)


def _in_space(
    workspace: Workspace, output: Path, choice: Choice, request: LocalRequest, emit: Callable[[OutputLine], None]
) -> dict[str, Any]:
    for folder in (workspace.photos, workspace.output, workspace.scratch):
        folder.mkdir()
    report = partial(_report, choice, emit)
    paths = [Path(path) for path in request.photos]
    loaded = _load(paths, workspace, choice, lambda part, text: report(Step.LOAD, part, text))
    cache = _usable_cache(choice, lambda text: report(Step.LOAD, 1.0, fact=text))
    stages = _stages(workspace.stages, choice, loaded, cache)
    threads = usable_threads(request.threads)
    work = Work(loaded.photos, workspace.scratch, workspace.output, choice.parameters, threads, stages)
    report(Step.PREPROCESS, 0.0)  # a model's process takes seconds until its first report
    result = run_model(choice.model, work, report=report, check=lambda: None)
    if stages is not None and cache is not None:
        with contextlib.suppress(OSError):  # the disk of the cache is full
            origin = Origin(stages.family, loaded.digests)
            kept_stages.keep(cache, stages.path, stages.key, stages.job_id, origin=origin)
    report(Step.FINALIZE, 0.0)
    files = manifests.describe_files(workspace.output, lambda: None)
    for entry in workspace.output.iterdir():
        entry.rename(output / entry.name)
    report(Step.FINALIZE, 1.0)
    numbers = {name: str(value) for name, value in result.quality.items()}
    status = Status(simulated=result.simulated, warning=result.warning, quality=numbers, size=result.size)
    return {
        "files": [{"name": file.name, "bytes": file.bytes} for file in files],
        "quality": dict(result.quality),
        "size": result.size,
        "stages": dict(result.stages),
        "verdict": verdict("Succeeded", simulated=result.simulated, warning=result.warning),
        "message": messages.succeeded(status),
        "images": len(loaded.photos),
    }


def _usable_cache(choice: Choice, tell: Callable[[str], None]) -> Path | None:
    """Return the folder of kept stages; None if none are kept.

    A folder that this user may not use, as after sudo, is told.
    """
    settings = config.settings
    if choice.simulated or not (settings.KEEP_STAGES_SECONDS and settings.STAGES_MAX_BYTES):
        return None
    try:
        root = os.environ.get("XDG_CACHE_HOME")
        cache = (Path(root) if root else Path.home() / ".cache") / KEPT_STAGES
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=cache):
            kept_stages.expire(cache, time.time())
    except RuntimeError:  # the user has no home
        return None
    except OSError as error:
        tell(f"stages of other runs are not used, and none are kept: {error.filename or cache}: {error.strerror}")
        return None
    return cache


def _stages(folder: Path, choice: Choice, loaded: Loaded, cache: Path | None) -> StageFolder | None:
    """Return the folder of the run's stages, with those of earlier runs from the cache; None without a cache."""
    if cache is None:
        return None
    key = choice.stages_key(loaded.digest)
    family = choice.stages_key("")
    with contextlib.suppress(OSError):  # those of another user
        kept_stages.link(cache, key, folder)
        kept_stages.link_related(cache, Origin(family, loaded.digests), choice.shared_stages, folder)
    most = config.settings.STAGES_MAX_BYTES
    return StageFolder(folder, key, max_bytes=most, job_id=uuid.uuid4().hex, family=family)


def _load(paths: Sequence[Path], workspace: Workspace, choice: Choice, tick: Tick) -> Loaded:
    """Load the photos with their masks from a folder, or single files."""
    if choice.simulated:
        return Loaded((), "")
    copy_input = partial(_copy_files, paths, workspace.photos)
    if len(paths) == 1 and paths[0].is_dir():
        copy_input = partial(fetch.copy_folder, paths[0].resolve(), str(paths[0]), workspace.photos)
    return load_photos(copy_input, model=choice.model, workspace=workspace, limits=Limits.from_config(), tick=tick)


def _copy_files(paths: Sequence[Path], into: Path, _: Limits, tick: Tick) -> Fetched:
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
    fact: str = "",
) -> None:
    known = quality if quality is not None and {"registered", "images"} <= quality.keys() else {}
    aligned = "{registered} of {images} photos aligned".format(**known) if known else ""
    aligned += f"; {known['leftOutPhotos']}" if "leftOutPhotos" in known else ""
    emit(
        {
            "step": STEPS[step - 1].name,
            "index": int(step),
            "percent": int(percent_at(int(step), fraction)),
            "fraction": round(fraction_of_run(choice.model.step_shares, step, fraction), 4),
            "message": message,
            "remainingSeconds": None if remaining_seconds is None else round(remaining_seconds, 1),
            "fact": fact or (f"continues after {resumed}" if resumed else aligned),
        }
    )
