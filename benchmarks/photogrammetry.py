"""Engine benchmark: time, memory and quality of the photogrammetry engine on photos and rendered scenes.

    python -m benchmarks.photogrammetry [--quality fast] [--only bunny] [--scenes FOLDER]

Each run is a separate process, as in a worker, so its peak memory is measured alone. On a busy machine CPU seconds are
more reliable than seconds. A scene has known cameras and a known surface: "cameras" is the mean error of the camera
centres, as a share of the surface's diagonal, and the F-scores are at 1 % and 0.25 % of it. PSNR and SSIM compare the
textured mesh with held-out photos. "ETA off" is the largest error of the expected remaining time, between a third and
nine tenths of the run; it needs a quiet machine. "second" is the share of the CPU seconds that the same photos take
with another texture size, from the stages of the first run. `--keep` keeps the results. `--before` also runs another
version; all are compared with the truth by this version's code.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from reconstruction_operator.models.photogrammetry.parameters import QUALITIES

from benchmarks.scenes import accuracy, catalogue, likeness, results

_REPOSITORY = Path(__file__).parents[1]
_PHOTOS: Mapping[str, Path] = {
    "berlin": _REPOSITORY / "tests/data/photos/berlin",
    "banana": _REPOSITORY / "examples/photos/banana",
    "lund": _REPOSITORY / "tests/data/photos/lund",
}
_DEFAULT_QUALITIES = ("fast", "standard")
_COLUMNS = (
    "set",
    "quality",
    "registered",
    "faces",
    "seconds",
    "CPU s",
    "second",
    "peak MB",
    "ETA off",
    "cameras",
    "F 1 %",
    "F 0.25 %",
    "PSNR",
    "SSIM",
    "outcome",
)
_ROW = (
    "| {:<20} | {:<8} | {:>10} | {:>7} | {:>7} | {:>5} | {:>6} | {:>7} | {:>7} | {:>8} | {:>5} | {:>8} | "
    "{:>5} | {:>6} | {} |"
)
_NO_TRUTH = ("",) * 5  # for photos, in the columns from "cameras" on


def main() -> None:
    """Run the engine and print one row for each set and quality."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quality", choices=QUALITIES, action="append", help="default: fast and standard")
    parser.add_argument(
        "--only", metavar="TEXT", action="append", default=[], help="only sets with this text in their name; repeatable"
    )
    parser.add_argument("--photos", type=Path, nargs="+", default=[], metavar="FOLDER", help="more sets of photos")
    parser.add_argument(
        "--scenes", type=Path, metavar="FOLDER", help="folder of rendered photos, which later runs reuse"
    )
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep the results in this folder")
    parser.add_argument(
        "--before", metavar="PYTHON", help="interpreter of another version: each set is run by it first"
    )
    options = parser.parse_args()
    print(_ROW.format(*_COLUMNS))
    print(_ROW.format(*("-" * len(column) for column in _COLUMNS)))
    with tempfile.TemporaryDirectory() as scratch:
        scenes = options.scenes or Path(scratch) / "scenes"
        kept = options.keep or Path(scratch) / "results"
        photos = {**_PHOTOS, **{folder.name: folder for folder in options.photos}}
        for name in [
            name for name in (*photos, *catalogue.SCENES) if any(text in name for text in options.only or [""])
        ]:
            folder = photos.get(name) or _rendered(name, scenes / name)
            for quality in options.quality or _DEFAULT_QUALITIES:
                if options.before:
                    _row(name, folder, quality, kept / f"{name}-{quality}-before", options.before)
                _row(name, folder, quality, kept / f"{name}-{quality}")


def _rendered(name: str, folder: Path) -> Path:
    if not (folder / catalogue.TRUTH).exists():
        catalogue.write(catalogue.SCENES[name](), folder, os.cpu_count() or 1)
    return folder


def _row(name: str, folder: Path, quality: str, output: Path, before: str = "") -> None:
    """Run the engine once on the photos in `folder`, by the interpreter `before` if it is given, and print the row."""
    output.mkdir(parents=True)
    name += " before" if before else ""
    command = [before or sys.executable, "-P", "-m", "reconstruction_operator.cli.main", "reconstruct", str(folder)]
    command += ["--model", "photogrammetry", "--param", f"quality={quality}", "--output"]
    smaller = f"textureSize={QUALITIES[quality].texture_size // 2}"
    with tempfile.TemporaryDirectory() as cache:
        lines, seconds, usage = _run([*command, str(output)], cache)
        _, _, second = _run([*command, str(Path(cache) / "second"), "--param", smaller], cache)
    last = lines[-1][1]
    cpu_seconds = usage.ru_utime + usage.ru_stime
    share = f"{(second.ru_utime + second.ru_stime) / cpu_seconds:.0%}"
    used = (f"{seconds:.0f}", f"{cpu_seconds:.0f}", share, usage.ru_maxrss // 1024)
    if "failure" in last:
        failure = "{reason}: {message}".format(**last["failure"])
        print(_ROW.format(name, quality, "-", "-", *used, "-", *_NO_TRUTH, failure), flush=True)
        return
    numbers = last["result"]["quality"]
    errors = _errors(folder, output) if (folder / catalogue.TRUTH).exists() else _NO_TRUTH
    registered = f"{numbers['registered']}/{numbers['images']}"
    print(_ROW.format(name, quality, registered, numbers["faces"], *used, f"{eta_error(lines):+.0%}", *errors, ""))


def _run(command: Sequence[str], cache: str) -> tuple[list[tuple[float, Any]], float, resource.struct_rusage]:
    """Return the output of a run, each line with its seconds since the start, and the seconds and the resources that it
    took.
    """
    started = time.monotonic()
    env = os.environ | {"XDG_CACHE_HOME": cache}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env) as process:
        lines = [(time.monotonic() - started, json.loads(line)) for line in process.stdout or () if line[:2] == '{"']
        _, status, usage = os.wait4(process.pid, 0)  # of this process and its children only
        process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.monotonic() - started
    ended = {"failure": {"reason": "no output", "message": f"exit code {process.returncode}"}}
    return lines or [(seconds, ended)], seconds, usage


def eta_error(lines: Sequence[tuple[float, Mapping[str, Any]]]) -> float:
    """Return the largest error of the expected remaining time, as a share of the actual one.

    `lines`: (seconds since the start, report).
    """
    end = lines[-1][0]
    reports = [(at, line["remainingSeconds"]) for at, line in lines if line.get("remainingSeconds") is not None]
    errors = [(left - (end - at)) / (end - at) for at, left in reports if end / 3 <= at <= 0.9 * end]
    return max(errors, key=abs, default=0.0)


def _errors(folder: Path, output: Path) -> tuple[str, ...]:
    """Return the error of the cameras, the F-scores of the mesh, and the likeness of its texture."""
    truth = catalogue.read_truth(folder)
    placed = results.Placed(output, truth)
    scores = accuracy.scores(placed.mesh("model_full.glb")[0], truth)
    scene = catalogue.SCENES[folder.name]()
    alike = likeness.likeness(*placed.mesh("model.glb"), scene) if scene.held_out else ()
    texture = [f"{value:.{digits}f}" for value, digits in zip(alike, (1, 3), strict=False)] or ["", ""]
    return (f"{placed.error / truth.diagonal:.4%}", *(f"{score.f:.3f}" for score in scores), *texture)


if __name__ == "__main__":
    main()
