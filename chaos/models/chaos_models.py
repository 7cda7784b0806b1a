"""Models of the fault runs: each process records when it ran in a journal, independent of operator and worker.

A journal is the file `<job id>.<attempt>.<pid>` in the folder CHAOS_JOURNAL_DIR, on a different disk from the job
folders.

- Each line is `<seconds since boot> <event>`; the events are `start`, `beat`, `stage` and `end`.
- The start line also has the worker's name (its CHAOS_WORKER) and the pid of the pool process that runs the task. The
  stage line has the name of a stage that is made.
- Each line is appended with a separate open, so a kill can damage only the last line.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import ClassVar

from reconstruction_operator.models import parts
from reconstruction_operator.models.interface import HelpOver, ModelFailure, Report, Result, Step, Work
from reconstruction_operator.models.stages import Stages

_BEAT_SECONDS = 0.2
_MAX_SECONDS = 600.0
_KEPT_SECONDS = 4.0  # shorter runs keep no stages
_PARTS = 8
_STEPS = (Step.PREPROCESS, Step.RECONSTRUCT, Step.POSTPROCESS, Step.PREVIEW)


class Journal:
    """A model that works for `seconds` (a parameter, 0 to 600), and otherwise behaves like a real one."""

    name: ClassVar[str] = "journal"
    isolated: ClassVar[bool] = True
    step_shares: ClassVar[Mapping[Step, float]] = dict.fromkeys(Step, 1 / len(Step))
    min_photos: ClassVar[int] = 1
    max_photos: ClassVar[int] = 10

    def unavailable(self) -> str | None:
        """Return None: it is always available."""
        return None

    def check_parameters(self, parameters: Mapping[str, object]) -> Mapping[str, object]:
        """Check `seconds`.

        Raises:
            ModelFailure: INVALID_PARAMETERS.

        """
        seconds = parameters.get("seconds", 1.0)
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds <= _MAX_SECONDS:
            raise ModelFailure("INVALID_PARAMETERS", f"seconds is {seconds!r:.80}; it must be 0 to {_MAX_SECONDS:g}")
        return {"seconds": float(seconds)}

    def run(self, work: Work, report: Report) -> Result:
        """Write a mesh and previews that contain the signature of this process."""
        journal = _JournalWriter(work)
        journal.write(f"start {os.environ['CHAOS_WORKER']} {_task_process()}")
        self.work(work, report, journal)
        report(Step.PREVIEW, 1.0)
        (work.output_dir / "model.glb").write_bytes(b"glTF" + journal.signature.encode())
        for number in range(2):
            (work.output_dir / f"preview_{number}.png").write_bytes(b"PNG" + journal.signature.encode())
        (work.output_dir / "made-by.txt").write_text(journal.signature)
        journal.write("end")
        return Result(quality={"photos": len(work.photos)})

    def work(self, work: Work, report: Report, journal: _JournalWriter | None) -> None:
        """Work for that time."""
        seconds = float(str(work.parameters["seconds"]))
        quarters = _Quarters(work)
        done = quarters.resume(report)
        begun = _now() - seconds * done / len(_STEPS)
        while (passed := _now() - begun) < seconds:
            whole, fraction = divmod(passed / seconds * len(_STEPS), 1.0)
            if whole > done and seconds >= _KEPT_SECONDS:
                done = int(whole)
                quarters.keep(done)
            report(_STEPS[int(whole)], fraction, f"{passed:.1f} s of {seconds:g} s")
            self.on_the_way(work, passed / seconds)
            time.sleep(_BEAT_SECONDS)
            if journal is not None:
                journal.write("beat")
        self.on_the_way(work, 1.0)  # a process stopped for the rest of its time reaches only this call

    def on_the_way(self, work: Work, fraction: float) -> None:
        """Do nothing; subclasses misbehave here."""


class Poison(Journal):
    """A model that kills its task's process in every attempt, like a job that uses up all memory."""

    name = "journal-poison"

    def on_the_way(self, work: Work, fraction: float) -> None:  # noqa: ARG002 -- the interface passes it
        """Send SIGKILL to the task's process in the middle."""
        if fraction > 0.5:  # noqa: PLR2004 -- the middle
            os.kill(_task_process(), signal.SIGKILL)


class Unusable(Journal):
    """A model that rejects the photos in every attempt: a failure that is not retried."""

    name = "journal-unusable"

    def on_the_way(self, work: Work, fraction: float) -> None:
        """Raise ModelFailure in the middle."""
        if fraction > 0.5:  # noqa: PLR2004 -- the middle
            raise ModelFailure("NOT_ENOUGH_OVERLAP", f"1 of {len(work.photos)} photos overlaps")


class Shared(Journal):
    """A model whose work is one stage in parts, with which other workers help. A helper is no run: it keeps no
    journal.
    """

    name = "journal-parts"
    makes_parts: ClassVar[bool] = True

    def run(self, work: Work, report: Report) -> Result:
        """Do the same as a run; as a helper, make parts."""
        if not work.helps:
            return super().run(work, report)
        with contextlib.suppress(HelpOver):
            self.work(work, report, None)
        return Result()

    def work(self, work: Work, report: Report, journal: _JournalWriter | None) -> None:
        """Make the parts. Raises ValueError if one is not what was sealed."""
        job = work.stages.job_id if work.stages else ""
        stages = Stages.of(work, lambda _: job)  # as for the quarters
        seconds = float(str(work.parameters["seconds"])) / _PARTS

        def make(folder: Path, number: int, before: int) -> None:
            until = _now() + seconds
            while _now() < until:
                report(Step.RECONSTRUCT, before / _PARTS, f"part {number + 1}/{_PARTS}")
                time.sleep(min(_BEAT_SECONDS, seconds))
                if journal is not None:
                    journal.write("beat")
            (folder / f"{number}.txt").write_text(f"part {number} of {job}\n")

        def wait(made: int) -> None:
            report(Step.RECONSTRUCT, made / _PARTS, f"{made} of {_PARTS} parts made")
            if journal is not None:
                journal.write("beat")

        def fill(folder: Path) -> None:
            made = parts.made(stages, "ground", list(range(_PARTS)), make, waiting=wait)
            parts.gather(made, folder)
            if not made:  # the job allows no helpers
                for number in range(_PARTS):
                    make(folder, number, number)

        ground = stages.made("ground", fill)
        wrong = [
            number for number in range(_PARTS) if (ground / f"{number}.txt").read_text() != f"part {number} of {job}\n"
        ]
        if wrong:
            raise ValueError(f"parts {wrong} are not what was sealed")


class Moving(Journal):
    """A model of three stages, each of which may be for the workers of another queue."""

    name = "journal-legs"
    stage_names: ClassVar[tuple[str, ...]] = ("first", "second", "third")

    def work(self, work: Work, report: Report, journal: _JournalWriter | None) -> None:
        """Make the stages that no earlier run has made. Raises ValueError if one is not what was sealed."""
        job = work.stages.job_id if work.stages else ""
        stages = Stages.of(work, lambda _: job, dict(pairwise(self.stage_names)))  # as for the quarters
        seconds = float(str(work.parameters["seconds"])) / len(self.stage_names)
        done = [stage for name in self.stage_names if (stage := stages.find(name)) is not None]
        if done:
            report(_STEPS[len(done) - 1], 1.0, f"continues after {done[-1]}", resumed=str(done[-1]))
        if len(done) < len(self.stage_names):
            stages.turn(self.stage_names[len(done)])
        for place, name in enumerate(self.stage_names):
            step, content = _STEPS[place], f"{name} of {job}\n"

            def fill(folder: Path, step: Step = step, name: str = name, content: str = content) -> None:
                begun = _now()
                while (passed := _now() - begun) < seconds:
                    report(step, passed / seconds, f"{passed:.1f} s of {seconds:g} s")
                    time.sleep(min(_BEAT_SECONDS, seconds))
                    if journal is not None:
                        journal.write("beat")
                (folder / "made.txt").write_text(content)
                if journal is not None:
                    journal.write(f"stage {name}")

            if (stages.made(name, fill) / "made.txt").read_text() != content:
                raise ValueError(f"stage {name} is not what was sealed")


class Filler(Journal):
    """A model that fills the job volume to the last byte, and keeps no journal."""

    name = "journal-filler"

    def run(self, work: Work, report: Report) -> Result:
        """Write until the disk is full. Raises OSError."""
        report(Step.RECONSTRUCT, 0.0)
        with (work.scratch_dir / "filler").open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))


class _Quarters:
    """The stages of a run, one for each quarter of its time; the next attempt continues from them."""

    def __init__(self, work: Work) -> None:
        self._job = work.scratch_dir.parent.parent.parent.name
        self._stages = Stages.of(
            work, lambda _: self._job
        )  # a job that went on from another's would be too short for faults

    def resume(self, report: Report) -> int:
        """Return how many quarters earlier attempts have finished.

        Raises:
            ValueError: a stage is incomplete or belongs to another job; the judge sees the failed attempt.

        """
        stages = [stage for number in range(1, len(_STEPS)) if (stage := self._stages.find(f"quarter-{number}"))]
        for stage in stages:
            if (stage.path / "made.txt").read_text() != self._content(stage.name):
                raise ValueError(f"{stage} is not what was sealed")
        if not stages:
            return 0
        done = int(stages[-1].name.removeprefix("quarter-"))
        report(_STEPS[done], 0.0, f"continues after {stages[-1]}", resumed=str(stages[-1]))
        return done

    def keep(self, number: int) -> None:
        """Seal a quarter; skip it if the disk is full or read-only."""
        with contextlib.suppress(OSError):
            folder = self._stages.begin(f"quarter-{number}")
            (folder / "made.txt").write_text(self._content(f"quarter-{number}"))
            self._stages.seal(f"quarter-{number}", folder)

    def _content(self, name: str) -> str:
        return f"{name} of {self._job}\n" * 1000


class _JournalWriter:
    def __init__(self, work: Work) -> None:
        # <jobs>/<job id>/attempts/<attempt>-<run>/scratch
        run = work.scratch_dir.parent
        self.signature = f"{run.parent.parent.name}.{run.name.partition('-')[0]}.{os.getpid()}"
        self._path = Path(os.environ["CHAOS_JOURNAL_DIR"]) / self.signature

    def write(self, what: str) -> None:
        with self._path.open("a") as journal:
            journal.write(f"{_now():.6f} {what}\n")


def _now() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def _task_process() -> int:
    """Return the parent of this process's guard: field 4 of proc(5)'s stat, after the name, which
    may contain spaces.
    """
    return int(Path(f"/proc/{os.getppid()}/stat").read_text().rpartition(")")[2].split()[1])
