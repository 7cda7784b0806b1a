"""Helper process: runs a native call that holds the interpreter lock, so that progress reports continue.

The process is in the process group of the run, so a signal to the group ends it too.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from reconstruction_operator.models.photogrammetry.progress import StageProgress

_TAIL_CHARACTERS = 2000  # of a failed process's output


def run(module: str, arguments: list[str], *, log: Path, progress: StageProgress, message: str) -> None:
    """Run `python -P -m module arguments`; its output goes to the file `log`.

    Raises MemoryError if the process ran out of memory or was killed (by the kernel, for its memory), and RuntimeError with the end
    of its output if it failed.
    """
    progress(0.0, message)
    command = [sys.executable, "-P", "-m", module, *arguments]
    with log.open("wb") as output:
        process = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, check=False)
    if process.returncode == -signal.SIGKILL:
        raise MemoryError(f"{module} was killed")
    if process.returncode != 0:
        output_tail = log.read_text(errors="replace")[-_TAIL_CHARACTERS:]
        if "MemoryError" in output_tail or "bad_alloc" in output_tail:
            raise MemoryError(output_tail)
        raise RuntimeError(f"{module} exited with status {process.returncode}: {output_tail}")
    progress(1.0, message)
