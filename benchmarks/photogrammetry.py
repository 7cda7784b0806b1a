"""Benchmark: time, memory and outcome of the photogrammetry engine on the photo sets of this repository.

    python benchmarks/photogrammetry.py [--quality fast] [--photos FOLDER ...]

Each run is a separate process, as in a worker, so its peak memory is measured alone. On a busy machine CPU seconds are more
reliable than seconds.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile

from reconstruction_operator.models.photogrammetry.parameters import QUALITIES

_REPOSITORY = Path(__file__).parents[1]
_SETS = (
    _REPOSITORY / "tests/data/photos/berlin",
    _REPOSITORY / "examples/photos/banana",
    _REPOSITORY / "tests/data/photos/lund",
)
_ROW = "{:<10} {:<9} {:>10} {:>8} {:>8} {:>8} {:>8}  {}"


def main() -> None:
    """Run the engine and print one row for each set and quality."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quality", choices=QUALITIES, action="append", help="default: all")
    parser.add_argument("--photos", type=Path, nargs="+", default=_SETS, metavar="FOLDER")
    options = parser.parse_args()
    print(_ROW.format("set", "quality", "registered", "faces", "seconds", "CPU s", "peak MB", "outcome"))
    for folder in options.photos:
        for quality in options.quality or QUALITIES:
            _measure(folder, quality)


def _measure(folder: Path, quality: str) -> None:
    command = [sys.executable, "-P", "-m", "reconstruction_operator.models.photogrammetry"]
    with TemporaryDirectory() as output, TemporaryFile("w+") as output_text, TemporaryFile("w+") as errors:
        started = time.monotonic()
        process = subprocess.Popen([*command, folder, output, "--quality", quality], stdout=output_text, stderr=errors)
        _, status, usage = os.wait4(process.pid, 0)  # the usage of this process and its children only
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.monotonic() - started
        output_text.seek(0)
        errors.seek(0)
        outcome = "model" if process.returncode == 0 else errors.read().strip().splitlines()[-1]
        numbers = json.load(output_text) if process.returncode == 0 else {}
    registered = f"{numbers['registered']}/{numbers['images']}" if numbers else "-"
    cpu_seconds = usage.ru_utime + usage.ru_stime
    used = (f"{seconds:.0f}", f"{cpu_seconds:.0f}", f"{usage.ru_maxrss // 1024}")
    print(_ROW.format(folder.name, quality, registered, numbers.get("faces", "-"), *used, outcome), flush=True)


if __name__ == "__main__":
    main()
