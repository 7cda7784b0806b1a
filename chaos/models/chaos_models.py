"""Models of the fault runs. Each process keeps a journal of what it really did, whatever the others believe of it.

A line is `<seconds since boot> <what>`; what is `start`, `beat` or `end`, and the first names the worker as well (its
CHAOS_WORKER) and the process of the worker in which the task runs. A file is `<job id>.<attempt>.<pid>`, in the
folder CHAOS_JOURNAL_DIR. It is opened for each line anew, so that a journal holds nothing that a later line could
overwrite, and so that a full disk of the job folders does not matter to it.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from reconstruction_operator.models.interface import ModelFailure, Report, Result, Step, Work

_BEAT_SECONDS = 0.2
_MAX_SECONDS = 600.0
_STEPS = (Step.PREPROCESS, Step.RECONSTRUCT, Step.POSTPROCESS, Step.PREVIEW)


class Journal:
    """Takes the parameter `seconds` (0 to 600): how long it works. Everything else is as in a real model."""

    name: ClassVar[str] = "journal"
    isolated: ClassVar[bool] = True
    step_shares: ClassVar[Mapping[Step, float]] = dict.fromkeys(Step, 1 / len(Step))
    min_photos: ClassVar[int] = 1
    max_photos: ClassVar[int] = 10

    def unavailable(self) -> str | None:
        """None: it always runs."""
        return None

    def check_parameters(self, parameters: Mapping[str, object]) -> Mapping[str, object]:
        """`seconds`, and `victim` for those that kill.

        Raises:
            ModelFailure: INVALID_PARAMETERS.

        """
        seconds = parameters.get("seconds", 1.0)
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds <= _MAX_SECONDS:
            raise ModelFailure("INVALID_PARAMETERS", f"seconds is {seconds!r:.80}; it must be 0 to {_MAX_SECONDS:g}")
        return {"seconds": float(seconds)}

    def run(self, work: Work, report: Report) -> Result:
        """Writes a mesh and previews that say who made them."""
        pages = _Pages(work)
        pages.write(f"start {os.environ['CHAOS_WORKER']} {_task_process()}")
        seconds = float(str(work.parameters["seconds"]))
        begun = _now()
        while (passed := _now() - begun) < seconds:
            whole, fraction = divmod(passed / seconds * len(_STEPS), 1.0)
            report(_STEPS[int(whole)], fraction, f"{passed:.1f} s of {seconds:g} s")
            self.on_the_way(work, passed / seconds)
            time.sleep(_BEAT_SECONDS)
            pages.write("beat")
        self.on_the_way(work, 1.0)  # also for one that stood still for the rest of its time
        report(Step.PREVIEW, 1.0)
        (work.output_dir / "model.glb").write_bytes(b"glTF" + pages.signature.encode())
        for number in range(2):
            (work.output_dir / f"preview_{number}.png").write_bytes(b"PNG" + pages.signature.encode())
        (work.output_dir / "made-by.txt").write_text(pages.signature)
        pages.write("end")
        return Result(quality={"photos": len(work.photos)})

    def on_the_way(self, work: Work, fraction: float) -> None:
        """For those that misbehave."""


class Poison(Journal):
    """Kills the process of the worker in which its task runs, each time, as a job does that eats all memory."""

    name = "journal-poison"

    def on_the_way(self, work: Work, fraction: float) -> None:  # noqa: ARG002 -- it looks at nothing
        """SIGKILL to the process in which its task runs."""
        if fraction > 0.5:  # noqa: PLR2004 -- in the middle
            os.kill(_task_process(), signal.SIGKILL)


class Unusable(Journal):
    """Says, each time, that the photos cannot be used: a failure that no second attempt would mend."""

    name = "journal-unusable"

    def on_the_way(self, work: Work, fraction: float) -> None:
        """Raises ModelFailure in the middle."""
        if fraction > 0.5:  # noqa: PLR2004 -- the same
            raise ModelFailure("NOT_ENOUGH_OVERLAP", f"1 of {len(work.photos)} photos overlaps")


class _Pages:
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
    """The parent of this process's guard: field 4 of proc(5)'s stat, after the name, which may hold anything."""
    return int(Path(f"/proc/{os.getppid()}/stat").read_text().rpartition(")")[2].split()[1])
