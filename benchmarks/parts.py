"""Parts: what helpers bring a run of the photogrammetry engine, and whether its result stays the same, to the bit.

    python -m benchmarks.parts --photos FOLDER [--quality fast] [--threads 1] [--helpers 1]

The photos are reconstructed by one process alone, and then by one that gets parts of its stages made by helpers, other
processes. As between workers, a helper begins with a divided stage, and helps with those that follow soon. The table
has the seconds and the CPU seconds of each stage of both runs, without those of helpers. The last line has the totals
with their ratios, and the CPU seconds of helpers in them. The exit status is 1 if the results differ.

On a machine with other work only the ratio of the CPU seconds means something: the seconds need as many idle cores as
there are processes times threads. Each process is bound to as many cores as it has threads, like a worker with such a
limit of CPU, if the machine has enough: otherwise parts of the run alone take more than one core with one thread.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import logging
import multiprocessing
import os
import resource
import signal
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from PIL import Image, ImageOps
from reconstruction_operator.models import parts as helping
from reconstruction_operator.models.interface import PartTurn, Photo, StageFolder, Work
from reconstruction_operator.models.photogrammetry.model import PhotogrammetryModel
from reconstruction_operator.models.photogrammetry.parameters import PART_SIZES, QUALITIES, PartSizes

_FILES = ("model_full.glb", "model.glb", "pointcloud.ply", "cameras.json")
_SUFFIXES = (".jpg", ".jpeg", ".png")
_OUTCOME = "outcome.json"
_LOOK_SECONDS = 0.05  # between two looks whether another stage is divided
_SPAWN = multiprocessing.get_context("spawn")  # a process as a worker starts it, without what this one has imported


RUN = "run"
"""The name of the run itself among the workers of a `Desk`."""


@dataclass(frozen=True, slots=True)
class Job:
    """A run or a helper: what it works on, and where."""

    photos: Path  # a folder
    into: Path  # a new folder, for scratch and output
    stages: Path
    parameters: Mapping[str, object] = field(default_factory=dict)
    threads: int = 1
    sizes: PartSizes = PART_SIZES
    helps: str = ""
    attempt: int = 1
    is_alone: bool = False  # without helpers
    cores: tuple[int, ...] = ()  # to which its process is bound; empty: to none


@dataclass(frozen=True, slots=True)
class Stage:
    """A divided stage: who has which part."""

    count: int
    handed: dict[int, str] = field(default_factory=dict)  # parts that are being made, by worker
    made: dict[int, str] = field(default_factory=dict)


class Desk:
    """Hands out parts to a run and its helpers, which are other processes.

    A part of a process that has ended is handed out again.
    """

    def __init__(self) -> None:
        self.stages: dict[str, Stage] = {}
        self.asked: defaultdict[str, set[str]] = defaultdict(set)  # who has asked for parts of each stage
        self.processes: dict[str, BaseProcess] = {}
        self._lock = threading.Lock()

    def turn(self, worker: str, title: str, count: int, made: int | None) -> PartTurn:
        """Return what a worker is to do next for a stage, as `Parts`."""
        with self._lock:
            if not count:
                return self._after(title)
            self.asked[title].add(worker)
            stage = self.stages.setdefault(title, Stage(count))
            if made is not None:
                stage.handed.pop(made, None)
                stage.made.setdefault(made, worker)
            free = [part for part in range(count) if part not in stage.made and part not in stage.handed]
            if free and self.serves(worker, stage):
                stage.handed[free[0]] = worker
                return PartTurn(free[0], len(stage.made))
            return PartTurn(None, len(stage.made), over=len(stage.made) == count)

    def _after(self, title: str) -> PartTurn:
        """Return the stage with which a helper goes on after that one, if the run has come to it."""
        newest = list(self.stages)[-1]
        if newest != title:
            return PartTurn(over=True, stage=newest)
        return PartTurn(over=not self.processes[RUN].is_alive())

    def missing(self, helpers: int) -> int:
        """Return how many helpers are to start for the newest stage, of which there should be so many."""
        with self._lock:
            if not self.stages:
                return 0
            running_or_failed = {name for name, process in self.processes.items() if process.exitcode != 0}
            return helpers - len((running_or_failed | self.asked[list(self.stages)[-1]]) - {RUN})

    def serves(self, _worker: str, _stage: Stage) -> bool:
        """Return whether that worker may get a part of the stage now; in tests, some have to wait."""
        return True

    def lose(self, worker: str) -> None:
        """Hand out again what that worker has not made."""
        with self._lock:
            for stage in self.stages.values():
                for part in [part for part, has in stage.handed.items() if has == worker]:
                    del stage.handed[part]

    def start(self, name: str, job: Job) -> BaseProcess:
        """Start a process that works on `job`, and answer its questions until it ends."""
        here, there = _SPAWN.Pipe()
        process = _SPAWN.Process(target=work, args=(job, there), name=name)
        self.processes[name] = process
        process.start()
        there.close()  # so that its end is noticed
        threading.Thread(target=self._answer, args=(name, here), daemon=True).start()
        return process

    def _answer(self, name: str, connection: Connection) -> None:
        with contextlib.suppress(EOFError, OSError), connection:
            while True:
                connection.send(self.turn(name, *connection.recv()))
        self.lose(name)


def work(job: Job, desk: Connection) -> None:
    """Run or help, in this process. Writes what it took, and digests of what it made, to the folder of the job."""
    begun = time.monotonic()
    if job.cores:
        os.sched_setaffinity(0, job.cores)
    model = PhotogrammetryModel(job.sizes)
    scratch, output = job.into / "scratch", job.into / "output"
    for folder in (scratch, output):
        folder.mkdir(parents=True)
    photos = tuple(_photo(path) for path in sorted(job.photos.iterdir()) if path.suffix.lower() in _SUFFIXES)
    parameters = model.check_parameters({"quality": "fast", **job.parameters})

    def ask(title: str, count: int, made: int | None) -> PartTurn:
        desk.send((title, count, made))
        turn: PartTurn = desk.recv()
        return turn

    log = StageLog()
    parts = None if job.is_alone else ask
    kept = StageFolder(job.stages, "key", job.attempt)
    given = Work(photos, scratch, output, parameters, job.threads, kept, parts, job.helps)
    result = helping.run(model, given, lambda *_, **__: None)
    names = () if job.helps else _FILES
    files = {name: hashlib.sha256((output / name).read_bytes()).hexdigest() for name in names}
    outcome = {
        "digests": {**result.stages, **files},
        "seconds": time.monotonic() - begun,
        "cpu": cpu_seconds(),
        "stages": log.spent(),
    }
    (job.into / _OUTCOME).write_text(json.dumps(outcome))


class StageLog(logging.Handler):
    """What each stage takes: of this process, from its first report to that of the next one."""

    def __init__(self) -> None:
        super().__init__()
        self.begun: dict[str, tuple[float, float]] = {}
        logger = logging.getLogger("reconstruction_operator.models.photogrammetry.timing.timetable")
        logger.setLevel(logging.DEBUG)
        logger.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Note the first report of each stage."""
        match record.args:
            case (str(stage), float()):
                self.begun.setdefault(stage, (time.monotonic(), cpu_seconds()))

    def spent(self) -> dict[str, tuple[float, float]]:
        """Return seconds and CPU seconds of each stage."""
        ends = [*self.begun.values(), (time.monotonic(), cpu_seconds())][1:]
        return {
            stage: (end - begun, end_cpu - cpu)
            for (stage, (begun, cpu)), (end, end_cpu) in zip(self.begun.items(), ends, strict=True)
        }


def _cores(place: int, threads: int) -> tuple[int, ...]:
    """Return the cores of the process at that place, as many as it has threads; fewer if the machine has no more."""
    return tuple(sorted(os.sched_getaffinity(0))[place * threads : (place + 1) * threads])


def cpu_seconds() -> float:
    """Return the CPU seconds of this process and those of its children that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def run(job: Job, helpers: int, desk: Desk | None = None) -> dict[str, Any]:
    """Return the outcome of a run with that many helpers; empty if it was killed.

    Its `cpu` has that of the helpers, which is `helped` too, and `made` the parts of each stage that each worker made.
    """
    desk = desk or Desk()
    process = desk.start(RUN, replace(job, is_alone=not helpers))
    helped: list[Job] = []
    while process.is_alive():
        for place in range(desk.missing(helpers)):
            title = list(desk.stages)[-1]
            helper = replace(
                job,
                into=job.into.with_name(f"{job.into.name}-{len(helped)}"),
                helps=title,
                cores=_cores(place + 1, job.threads) if job.cores else (),
            )
            helped.append(helper)
            desk.start(helper.into.name, helper)
        process.join(_LOOK_SECONDS)
    for other in desk.processes.values():
        other.join()
    failed = [name for name, other in desk.processes.items() if other.exitcode not in (0, -signal.SIGKILL)]
    if failed:
        raise RuntimeError(f"{', '.join(failed)} failed, see above")
    if process.exitcode:
        return {}
    outcome = _outcome(job)
    outcome["helped"] = sum(_outcome(helper).get("cpu", 0.0) for helper in helped)
    outcome["cpu"] += outcome["helped"]
    outcome["made"] = {_name(title): Counter(stage.made.values()) for title, stage in desk.stages.items()}
    return outcome


def _outcome(job: Job) -> dict[str, Any]:
    """Return what a process has written; empty if it was killed."""
    file = job.into / _OUTCOME
    outcome: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
    return outcome


def _name(title: str) -> str:
    return title.partition("~")[0]


def main() -> None:
    """Reconstruct the photos alone and with helpers, and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--quality", choices=QUALITIES, default="fast")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--helpers", type=int, default=1)
    options = parser.parse_args()
    is_bound = len(_cores(options.helpers, options.threads)) == options.threads
    with tempfile.TemporaryDirectory() as folder:
        space = Path(folder)
        outcomes = {}
        for name, helpers in (("alone", 0), ("helped", options.helpers)):
            job = Job(
                options.photos.absolute(),
                space / name,
                space / f"{name}-stages",
                {"quality": options.quality},
                options.threads,
                cores=_cores(0, options.threads) if is_bound else (),
            )
            outcomes[name] = run(job, helpers)
    alone, helped = outcomes["alone"], outcomes["helped"]
    print(f"{'stage':<12} {'alone':>16} {'helped':>16}   seconds, CPU seconds of the run itself")
    for stage, spent in alone["stages"].items():
        with_help = helped["stages"].get(stage, (0.0, 0.0))
        print(f"{stage:<12} {spent[0]:8.1f} {spent[1]:7.1f} {with_help[0]:8.1f} {with_help[1]:7.1f}")
    for stage, made in helped["made"].items():
        print(f"{stage}: {made[RUN]} of {made.total()} parts made by the run")
    print(
        f"seconds: {alone['seconds']:.1f}, with helpers {helped['seconds']:.1f}: "
        f"{helped['seconds'] / alone['seconds']:.2f}; CPU seconds: {alone['cpu']:.1f}, {helped['cpu']:.1f}: "
        f"{helped['cpu'] / alone['cpu']:.2f} ({helped['helped']:.1f} of helpers)"
    )
    is_equal = alone["digests"] == helped["digests"]
    print("equal" if is_equal else f"different: {alone['digests']} {helped['digests']}")
    sys.exit(0 if is_equal else 1)


def _photo(path: Path) -> Photo:
    with Image.open(path) as image:
        width, height = ImageOps.exif_transpose(image).size
    return Photo(path, width, height, path.stat().st_size)


if __name__ == "__main__":
    main()
