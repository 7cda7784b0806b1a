"""Repeat: whether the same photos give the same result, to the bit, however they are reconstructed.

    python -m benchmarks.repeat [--photos FOLDER] [--quality fast] [--threads 1 2 4]

The photos are reconstructed twice with each number of threads, and once by a run that is killed as soon as a stage is
kept, and continued by the next run, for each stage. One row for each run has the first digits of the digest of each
stage and file. The last line says whether all runs are equal, or names the first stage that differs and its run; the
exit status is 1 then. Each run is a process of its own, as in a worker.

Equal results are promised for one version on one kind of processor: libraries of linear algebra choose other
instructions, with other roundings, for another. `OPENBLAS_CORETYPE=Haswell` shows what that changes.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from reconstruction_operator.jobfiles.layout import Workspace
from reconstruction_operator.models.interface import StageFolder, Work
from reconstruction_operator.models.photogrammetry.parameters import QUALITIES
from reconstruction_operator.transfer import fetch
from reconstruction_operator.transfer.limits import Limits
from reconstruction_operator.worker.attempt.loading import load_photos
from reconstruction_operator.worker.model.selection import choose

_PHOTOS = Path(__file__).parents[1] / "examples/photos/banana"
_FILES = ("model_full.glb", "model.glb", "pointcloud.ply", "cameras.json")
_DIGITS = 10
_POLL_SECONDS = 0.01
_TAIL_CHARACTERS = 2_000


@dataclass(frozen=True, slots=True)
class Digests:
    """What one run has made: the digest of each stage and file, by name, in order."""

    run: str
    of: Mapping[str, str]

    def __str__(self) -> str:
        """Return one line for people."""
        return f"{self.run:<44} " + "  ".join(f"{name} {digest[:_DIGITS]}" for name, digest in self.of.items())


def main() -> None:
    """Reconstruct the photos again and again, and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, default=_PHOTOS, metavar="FOLDER", help="default: the example photos")
    parser.add_argument("--quality", choices=QUALITIES, default="fast")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2, 4], metavar="N", help="default: 1 2 4")
    parser.add_argument("--into", type=Path, help=argparse.SUPPRESS)  # the folder of one run, in its own process
    options = parser.parse_args()
    if options.into:
        _reconstruct(options.photos, options.quality, options.threads[0], options.into)
        return
    made: list[Digests] = []
    for name, threads, kill in _runs(options.threads):
        made.append(_run(name, options.photos, options.quality, threads, kill=kill))
        print(made[-1], flush=True)
    difference = first_difference(made)
    print(difference or f"equal: {len(made)} runs, {hashlib.sha256(repr(made[0].of).encode()).hexdigest()}")
    sys.exit(1 if difference else 0)


def _runs(threads: Sequence[int]) -> Iterator[tuple[str, int, bool]]:
    """Return the name of each run, its threads, and whether it is killed."""
    for number in threads:
        yield f"threads {number}", number, False
        yield f"threads {number}, again", number, False
    yield f"threads {threads[-1]}, killed after each stage", threads[-1], True


def first_difference(made: Sequence[Digests]) -> str:
    """Return which stage or file is the first that differs, and in which run; empty if all runs are equal.

    A run that continued from a stage does not know those before it.
    """
    first, *others = made
    names = list(dict.fromkeys(name for run in made for name in run.of))
    for name in names:
        for other in others:
            if name in first.of and name in other.of and first.of[name] != other.of[name]:
                return f"different: {name} of the run with {other.run}, from the run with {first.run}"
    return ""


def _run(name: str, photos: Path, quality: str, threads: int, *, kill: bool) -> Digests:
    """Return what a run makes; with `kill`, one that is killed whenever it has kept another stage."""
    with tempfile.TemporaryDirectory() as folder:
        while True:
            into = Path(tempfile.mkdtemp(dir=folder))
            (into / "stages").symlink_to(Path(folder) / "stages")
            command = [sys.executable, "-m", "benchmarks.repeat", "--photos", str(photos.absolute())]
            command += ["--quality", quality, "--threads", str(threads), "--into", str(into)]
            (Path(folder) / "stages").mkdir(exist_ok=True)
            if _is_done(command, Path(folder) / "stages", kill=kill):
                return Digests(name, json.loads((into / "digests.json").read_text()))


def _is_done(command: Sequence[str], stages: Path, *, kill: bool) -> bool:
    """Return whether the run ended by itself. Exits with the end of its output if it failed."""
    before = _names(stages)
    log = stages.with_name("log.txt")  # COLMAP prints what it does
    with (
        log.open("wb") as output,
        subprocess.Popen(
            command, stdout=output, stderr=output, start_new_session=True, cwd=Path(__file__).parents[1]
        ) as process,
    ):
        while process.poll() is None:
            if kill and _names(stages) - before:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                return False
            time.sleep(_POLL_SECONDS)
    if process.returncode:
        sys.exit(f"the run failed: {log.read_text(errors='replace')[-_TAIL_CHARACTERS:]}")
    return True


def _names(stages: Path) -> set[str]:
    return {path.name.partition("~")[0] for path in stages.iterdir() if not path.name.startswith(".")}


def _reconstruct(photos: Path, quality: str, threads: int, into: Path) -> None:
    """Reconstruct the photos in this process, and write the digests of all that was made to `digests.json`."""
    choice = choose("photogrammetry", {"quality": quality})
    workspace = Workspace(into)
    for folder in (workspace.photos, workspace.output, workspace.scratch):
        folder.mkdir()
    loaded = load_photos(
        partial(fetch.copy_folder, photos.resolve(), str(photos), workspace.photos),
        model=choice.model,
        workspace=workspace,
        limits=Limits.from_config(),
        tick=lambda *_: None,
    )
    stages = StageFolder(workspace.stages.resolve(), choice.stages_key(loaded.digest))
    work = Work(loaded.photos, workspace.scratch, workspace.output, choice.parameters, threads, stages)
    result = choice.model.run(work, lambda *_, **__: None)
    made = {name: hashlib.sha256((workspace.output / name).read_bytes()).hexdigest() for name in _FILES}
    (into / "digests.json").write_text(json.dumps({**result.stages, **made}))


if __name__ == "__main__":
    main()
