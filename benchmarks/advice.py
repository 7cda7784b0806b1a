"""Advice benchmark: what photos from the advised standpoints add, and what as many random ones do.

    python -m benchmarks.advice [--only bunny] [--quality fast] [--random 2] [--keep FOLDER]

Each scene is a ring of photos of which a quarter is missing, in one piece. The engine runs on it, then with photos from
its advice, and then with as many from random places of the whole ring. "coverage" is the recall: the share of the
subject's surface within 0.25 % of its diagonal of the result. "lacking" is the share of the true surface, but its
underside, that lacks photos (`photogrammetry.advice.lacking`), which needs no run. "invented" is
`quality.inventedShare`. Ratios are those of the gain by the advised photos and the mean gain by random ones.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from reconstruction_operator.models.photogrammetry.advice import lacking
from reconstruction_operator.models.photogrammetry.parameters import QUALITIES
from reconstruction_operator.models.photogrammetry.sparse.cameras import Camera
from reconstruction_operator.models.photogrammetry.surface.meshes import Caster, Mesh

from benchmarks.scenes import accuracy, catalogue, results
from benchmarks.scenes.catalogue import Scene

_SCENES: Mapping[str, Callable[[], Scene]] = {
    "bunny-12": lambda: catalogue.orbit(12),
    "house-12": lambda: catalogue.flight(12),
    "bunny-24": lambda: catalogue.orbit(24),
    "house-24": lambda: catalogue.flight(24),
}
_TOLERANCE = accuracy.TOLERANCES[-1]
_MISSING = 0.25  # of the ring
_PHOTOS = 6  # of the advice, at most
_SETS = 20  # of random photos, where no run is needed
_COLUMNS = ("scene", "photos", "number", "aligned", "coverage", "gain", "lacking", "fall", "invented", "fall")
_ROW = "| {:<9} | {:<9} | {:>6} | {:>7} | {:>8} | {:>6} | {:>7} | {:>5} | {:>8} | {:>5} |"
_Y_UP = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])


@dataclass(frozen=True, slots=True)
class Measured:
    """A run, and how it covers the scene."""

    placed: results.Placed
    aligned: str
    coverage: float
    lacking: float
    invented: float


def main() -> None:
    """Print rows for each scene: without more photos, with the advised ones, and with random ones."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quality", choices=QUALITIES, default="fast")
    parser.add_argument("--only", metavar="TEXT", default="", help="only scenes with this text in their name")
    parser.add_argument("--random", type=int, default=2, metavar="N", help="sets of random photos")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep photos and results in this folder")
    options = parser.parse_args()
    print(_ROW.format(*_COLUMNS))
    print(_ROW.format(*("-" * len(column) for column in _COLUMNS)))
    with tempfile.TemporaryDirectory() as scratch:
        for name in (name for name in _SCENES if options.only in name):
            _compare(name, options.quality, options.random, (options.keep or Path(scratch)) / name)


def _compare(name: str, quality: str, sets: int, folder: Path) -> None:
    """Print the rows of one scene."""
    whole = _SCENES[name]()
    ring = replace(whole, cameras=whole.cameras[round(_MISSING * len(whole.cameras)) :])
    before = _measured(ring, [], quality, folder / "before")
    _print(name, "before", len(ring.cameras), before, before)
    advised = [catalogue.photographer(eye, target) for eye, target in before.placed.advised()]
    after = _measured(ring, advised, quality, folder / "advised", folder / "before")
    _print(name, "advised", len(advised), before, after)
    gains, falls = [], []
    for seed in range(max(sets, _SETS)):
        angles = np.random.default_rng(seed).uniform(0.0, 2 * np.pi, _PHOTOS)
        cameras = whole.at(angles) if whole.at else []
        falls.append(before.lacking - _lacking(whole.subject, [*ring.cameras, *cameras]))
        if seed < sets:
            other = _measured(ring, cameras, quality, folder / f"random-{seed}", folder / "before")
            _print(name, f"random {seed}", len(cameras), before, other)
            gains.append(other.coverage - before.coverage)
    coverage = (after.coverage - before.coverage) / float(np.mean(gains))
    shown = (before.lacking - after.lacking) / float(np.mean(falls))
    print(f"{name}: ratio of coverage {coverage:.1f}, of what is no longer lacking {shown:.1f}", flush=True)


def _lacking(subject: Mesh, cameras: Sequence[Camera]) -> float:
    """Return the share of the surface, but its underside, that the cameras do not show well."""
    mesh = Mesh(subject.vertices @ _Y_UP.T, subject.faces)
    turned = [replace(camera, rotation=camera.rotation @ _Y_UP.T) for camera in cameras]
    no_photo = np.zeros((len(mesh.vertices), len(turned)), np.float32)
    surface = lacking.of_surface(mesh, no_photo, np.ones(len(mesh.vertices), dtype=np.bool_), turned)
    caster = Caster(mesh)
    shares = np.sum([surface.shown_by(camera, caster) for camera in turned], axis=0)
    return float((1.0 - np.minimum(shares / lacking.ENOUGH, 1.0)) @ surface.areas / surface.total)


def _print(name: str, photos: str, number: int, before: Measured, after: Measured) -> None:
    pairs = ((before.lacking, after.lacking), (before.invented, after.invented))
    falls = [text for was, now in pairs for text in (f"{now:.4f}", f"{1.0 - now / max(was, 1e-9):.0%}")]
    gain = f"{after.coverage - before.coverage:+.3f}"
    print(_ROW.format(name, photos, number, after.aligned, f"{after.coverage:.3f}", gain, *falls), flush=True)


def _measured(ring: Scene, more: Sequence[Camera], quality: str, folder: Path, base: Path | None = None) -> Measured:
    """Run the engine on the ring and `more` photos; the photos of the ring are also in `base`, if it is given."""
    photos, output = folder / "photos", folder / "result"
    scene = replace(ring, cameras=[*ring.cameras, *more])
    if not (photos / catalogue.TRUTH).exists():
        first = 0
        if base is not None:
            shutil.copytree(base / "photos", photos)
            (photos / catalogue.TRUTH).unlink()
            first = len(ring.cameras)
        catalogue.write(scene, photos, os.cpu_count() or 1, first=first)
    if not output.exists():
        output.mkdir(parents=True)
        command = [sys.executable, "-P", "-m", "reconstruction_operator.cli.main", "reconstruct", str(photos)]
        command += ["--model", "photogrammetry", "--param", f"quality={quality}", "--output", str(output)]
        with tempfile.TemporaryDirectory() as cache:
            env = os.environ | {"XDG_CACHE_HOME": cache}
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=env, check=True)
        (folder / "last.json").write_text(done.stdout.splitlines()[-1])
    numbers = json.loads((folder / "last.json").read_text())["result"]["quality"]
    truth = catalogue.read_truth(photos)
    placed = results.Placed(output, truth)
    recall = accuracy.scores(placed.mesh("model_full.glb")[0], truth, [_TOLERANCE])[0].recall
    aligned = f"{numbers['registered']}/{numbers['images']}"
    return Measured(placed, aligned, recall, _lacking(ring.subject, scene.cameras), numbers["inventedShare"])


if __name__ == "__main__":
    main()
