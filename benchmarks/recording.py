"""Recording: the reports of a run of the photogrammetry engine and their times, for tests of its percentage and ETA.

    python -m benchmarks.recording "12 photos of bananas" examples/photos/banana --quality fast

It is added to `tests/data/timings.json`. Its seconds exclude the time in which the run's threads waited for a core, so
other work on the machine hardly changes them. `silence` is the longest time between two reports.
"""

from __future__ import annotations

import argparse
import itertools
import json
import logging
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import psutil
from PIL import Image, ImageOps
from reconstruction_operator.models.interface import Photo, Work
from reconstruction_operator.models.photogrammetry import parameters as parameter_table
from reconstruction_operator.models.photogrammetry.model import PhotogrammetryModel
from reconstruction_operator.models.photogrammetry.timing import timetable
from reconstruction_operator.models.photogrammetry.timing.costs import Learned

_RECORDINGS: Final = Path(__file__).parents[1] / "tests/data/timings.json"
_SUFFIXES: Final = (".jpg", ".jpeg", ".png")
_THREADS: Final = 2
_SAMPLE_SECONDS: Final = 0.2
_APART_SECONDS: Final = 1.0  # minimum between two recorded shares of a stage
_NANOSECONDS: Final = 1e9


class UnloadedClock:
    """Counts seconds, without the time in which threads of this process and its children waited for a core."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._at = time.monotonic()
        self._seconds = 0.0
        self._before = _scheduled()

    def __call__(self) -> float:
        """Return the seconds so far. Call it often, since ended threads are not counted."""
        with self._lock:
            now = time.monotonic()
            scheduled = _scheduled()
            passed = now - self._at
            run, waited = 0.0, 0.0
            for thread, (ran_s, waited_s) in scheduled.items():
                ran_before, waited_before = self._before.get(thread, (0.0, 0.0))
                run, waited = run + ran_s - ran_before, waited + waited_s - waited_before
            if run + waited > 0.0:
                passed -= waited * min(1.0, passed / (run + waited))
            self._at, self._before = now, scheduled
            self._seconds += max(passed, 0.0)
            return self._seconds


class Recorder(logging.Handler):
    """Collects the log records of a run's timetable."""

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__()
        self._clock = clock
        self.heard: list[tuple[str, float, float]] = []  # stage, second, completed share of its work
        self.learned: list[tuple[float, dict[str, Any]]] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Collect one record."""
        second = round(self._clock(), 2)
        match record.args:
            case (str(stage), float(share)):
                stages = [report for report in self.heard if report[0] == stage]
                rises = not stages or share > stages[-1][2]
                if rises and (not stages or share >= 1.0 or second - stages[-1][1] >= _APART_SECONDS):
                    self.heard.append((stage, second, round(share, 4)))
            case (Learned() as facts,):
                learned = {name: value for name, value in asdict(facts).items() if value is not None}
                self.learned.append((second, learned))


def main() -> None:
    """Record one run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", help="name of the recording")
    parser.add_argument("photos", type=Path, help="folder of photos")
    parser.add_argument("--quality", choices=parameter_table.QUALITIES, default="fast")
    parser.add_argument("--output", type=Path, default=_RECORDINGS, help="the file of recordings")
    options = parser.parse_args()
    recording = recorded(options.photos, options.quality)
    known = json.loads(options.output.read_text()) if options.output.exists() else {}
    options.output.write_text(as_text(known | {options.name: recording}))


def recorded(folder: Path, quality: str) -> dict[str, Any]:
    """Run the engine on the photos in `folder`, and return the recording."""
    photos = tuple(_photo(path) for path in sorted(folder.iterdir()) if path.suffix.lower() in _SUFFIXES)
    model = PhotogrammetryModel()
    clock = UnloadedClock()
    recorder = Recorder(clock)
    over = threading.Event()

    def keep_sampling() -> None:
        while not over.wait(_SAMPLE_SECONDS):
            clock()

    timetable.logger.addHandler(recorder)
    timetable.logger.setLevel(logging.DEBUG)
    threading.Thread(target=keep_sampling, daemon=True).start()
    with tempfile.TemporaryDirectory() as space:
        scratch = Path(space) / "scratch"
        output = Path(space) / "output"
        scratch.mkdir()
        output.mkdir()
        parameters = model.check_parameters({"quality": quality})
        begun = clock()
        wall = time.monotonic()
        reports = [begun]
        model.run(Work(photos, scratch, output, parameters, _THREADS), lambda *_, **__: reports.append(clock()))
        reports.append(clock())
    over.set()
    used, seconds = psutil.Process().cpu_times(), reports[-1] - begun
    print(f"{seconds:.1f} s, {time.monotonic() - wall:.1f} s with the waiting, {sum(used[:4]):.1f} s of CPU")
    return {
        "settings": asdict(parameter_table.settings(parameters)),
        "threads": _THREADS,
        "photos": [[photo.width, photo.height] for photo in photos],
        "seconds": round(seconds, 2),
        "silence": round(max(after - before for before, after in itertools.pairwise(reports)), 2),
        "learned": [[round(second - begun, 2), facts] for second, facts in recorder.learned],
        "heard": [[stage, round(second - begun, 2), share] for stage, second, share in recorder.heard],
    }


def _photo(path: Path) -> Photo:
    with Image.open(path) as image:
        width, height = ImageOps.exif_transpose(image).size
    return Photo(path, width, height, path.stat().st_size)


def _scheduled() -> dict[int, tuple[float, float]]:
    """Return the seconds that each thread of this process and its children has run, and waited for a core."""
    scheduled = {}
    for process in [psutil.Process(), *psutil.Process().children(recursive=True)]:
        for file in Path(f"/proc/{process.pid}/task").glob("*/schedstat"):
            try:
                ran, waited, _ = file.read_text().split()
            except OSError:  # the thread has ended
                continue
            scheduled[int(file.parent.name)] = (int(ran) / _NANOSECONDS, int(waited) / _NANOSECONDS)
    return scheduled


def as_text(recordings: Mapping[str, Mapping[str, Any]]) -> str:
    """Return JSON with one line for each fact, so that diffs are readable."""
    parts = []
    for name, recording in recordings.items():
        facts = ",\n".join(f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in recording.items())
        parts.append(f" {json.dumps(name)}: {{\n{facts}\n }}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


if __name__ == "__main__":
    main()
