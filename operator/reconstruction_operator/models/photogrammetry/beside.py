"""Native calls that hold the interpreter lock, in a process beside this one, so that progress goes on meanwhile.

The process is of the same process group: who stops the run by its group stops it, too.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from reconstruction_operator.models.photogrammetry.progress import BEAT_SECONDS, Progress, nearing_the_end

_TAIL_CHARACTERS = 2000  # of what a failed process said


def run(
    module: str, arguments: list[str], *, log: Path, progress: Progress, expected_seconds: float, message: str
) -> None:
    """Runs `python -P -m module arguments`; its output goes to the file `log`.

    Raises:
        MemoryError: it found no memory, or was killed, which is what the kernel does when memory runs out.
        RuntimeError: it failed, with the end of its output.

    """
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", module, *arguments], stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
        try:
            _wait(process, lambda passed: progress(nearing_the_end(passed, expected_seconds), message))
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
    if process.returncode == -signal.SIGKILL:
        raise MemoryError(f"{module} was killed")
    if process.returncode != 0:
        said = log.read_text(errors="replace")[-_TAIL_CHARACTERS:]
        if "MemoryError" in said or "bad_alloc" in said:
            raise MemoryError(said)
        raise RuntimeError(f"{module} ended with status {process.returncode}: {said}")
    progress(1.0, message)


def _wait(process: subprocess.Popen[bytes], beat: Callable[[float], None]) -> None:
    started = time.monotonic()
    while True:
        beat(time.monotonic() - started)
        try:
            process.wait(BEAT_SECONDS)
        except subprocess.TimeoutExpired:
            continue
        return
