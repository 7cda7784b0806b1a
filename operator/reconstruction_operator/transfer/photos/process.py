"""Check process: checks photos in a process of its own, which the worker's side starts and watches.

A hostile photo can make a decoder crash, use gigabytes or compute for hours, and a thread in a decoder cannot be
stopped. The kernel limits the memory and the CPU time of the process, since neither Pillow nor libheif does.
"""

from __future__ import annotations

import math
import resource
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import astuple
from pathlib import Path
from typing import Any, Final

from reconstruction_operator.contract.photos import Photo
from reconstruction_operator.transfer import programs
from reconstruction_operator.transfer.errors import StorageError
from reconstruction_operator.transfer.limits import Limits, Tick
from reconstruction_operator.transfer.objects.concurrency import Progress
from reconstruction_operator.transfer.photos import checks, sizes
from reconstruction_operator.transfer.programs import HungError, Program
from reconstruction_operator.transfer.unpacker import limit

Start = tuple[bytes, str, bool]
"""First bytes of a photo, its label, and whether these are all its bytes."""
_PROGRAM: Final = "reconstruction_operator.transfer.photos.process"
# For one photo, of which an ordinary one needs less than one, or some frames of a video
_CPU_SECONDS: Final = int(programs.SILENCE_SECONDS)
_PARTS: Final = 1_000  # in which the process counts the progress of a photo: only a video reports more than its start
_ROUNDING: Final = 0.01  # of a part, which divisions of floats may lose
_MEMORY_BYTES: Final = 384 << 20  # address space of the interpreter and the libraries, and some for headers


def check_all(paths: Sequence[Path], limits: Limits, tick: Tick) -> tuple[Photo, ...]:
    """Check all photos as `checks.check_all`, in a process that has no credentials.

    If `tick` raises, the process is killed.

    Raises StorageError as `checks.check_all`, also for a photo that is beyond the limits of the process or makes it
    crash.
    """
    index = 1

    def report(done: int, *_: int) -> None:
        nonlocal index
        index, part = done // _PARTS + 1, done % _PARTS
        video = f": {part / _PARTS:.0%} of {paths[index - 1].name}" if part else ""
        tick(done / _PARTS / len(paths), f"photo {index}/{len(paths)}{video}")

    program = Program.start(_PROGRAM)
    try:
        outcome = program.ask((tuple(paths), (), limits), report)
    except OSError as error:
        code = program.process.poll()
        # Silent, it computes in a decoder: reading a file does not stop its reports.
        if code == -signal.SIGXCPU or isinstance(error, HungError):
            text = f"is not decoded within {programs.SILENCE_SECONDS:.0f} s"
        elif code in (-signal.SIGSEGV, -signal.SIGABRT, -signal.SIGBUS, -signal.SIGFPE, -signal.SIGILL):
            text = "makes the decoder crash"
        else:
            raise
        raise StorageError("CORRUPT_IMAGE", f"{checks.label_of(paths, index)} {text}") from None
    finally:
        program.end()
    return tuple(Photo(Path(path), *numbers) for path, *numbers in outcome["checked"])


def check_starts(starts: Sequence[Start], limits: Limits) -> None:
    """Check photos by their first bytes as `checks.check_start`, in such a process.

    Raises StorageError; OSError if it crashes.
    """
    program = Program.start(_PROGRAM)
    try:
        program.ask(((), tuple(starts), limits))
    finally:
        program.end()


def _perform(request: tuple[Sequence[Path], Sequence[Start], Limits], progress: Progress) -> dict[str, Any]:
    """In the process: check the photos, and return the sizes of those that are files."""
    paths, starts, limits = request

    def tick(fraction: float, _text: str) -> None:
        progress.objects = int(fraction * len(paths) * _PARTS + _ROUNDING)
        progress.report()  # before the photo is opened: a crash is blamed on the newest report

    def allow(count: int) -> None:
        limit(resource.RLIMIT_CPU, math.ceil(time.process_time()) + _CPU_SECONDS)
        limit(resource.RLIMIT_AS, _MEMORY_BYTES + count + (sizes.OPENCV_BYTES if "cv2" in sys.modules else 0))

    for start, label, is_whole in starts:
        tick(0.0, label)
        allow(sizes.DECODER_BYTES * limits.max_pixels)
        checks.check_start(start, label, limits, is_whole=is_whole)
    return {"checked": [astuple(photo) for photo in checks.check_all(paths, limits, tick, allow)]}


if __name__ == "__main__":
    programs.serve(_perform)
