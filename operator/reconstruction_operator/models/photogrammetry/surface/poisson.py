"""Poisson surface, fitted by COLMAP in a process of its own: the call holds the interpreter lock, and progress reports
must continue.

The process is in the process group of the run, so a signal to the group ends it too.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from reconstruction_operator.models.photogrammetry.sparse.colmap import pycolmap

_TAIL_CHARACTERS = 2000  # of a failed process's output


def fit(points: Path, mesh: Path, octree_depth: int) -> None:
    """Fit the surface to `points` (PLY with normals), and write it to `mesh`; the output of the process goes to a log
    beside it.

    Raises MemoryError if the process ran out of memory or was killed (by the kernel, for its memory), and RuntimeError
    with the end of its output if it failed.
    """
    log = mesh.with_suffix(".log")
    command = [sys.executable, "-P", "-m", __name__, str(points), str(mesh), str(octree_depth)]
    with log.open("wb") as output:
        process = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, check=False)
    if process.returncode == -signal.SIGKILL:
        raise MemoryError("the Poisson process was killed")
    if process.returncode != 0:
        output_tail = log.read_text(errors="replace")[-_TAIL_CHARACTERS:]
        if "MemoryError" in output_tail or "bad_alloc" in output_tail:
            raise MemoryError(output_tail)
        raise RuntimeError(f"the Poisson process exited with status {process.returncode}: {output_tail}")


def _main(points: str, mesh: str, octree_depth: str) -> None:
    options = pycolmap.PoissonMeshingOptions()
    options.depth = int(octree_depth)
    options.trim = 0.0  # `cleanup` removes extrapolated surface
    options.color = False
    options.num_threads = 1  # waiting OpenMP threads spin: two are no faster and use five times the CPU
    pycolmap.poisson_meshing(points, mesh, options)


if __name__ == "__main__":
    _main(*sys.argv[1:])
