"""Check program: checks photos in a process of its own, `python -P -m reconstruction_operator.transfer.photos.program`.

The kernel limits its memory and CPU time, since neither Pillow nor libheif does.
"""

from __future__ import annotations

import math
import resource
import time
from collections.abc import Sequence
from dataclasses import astuple
from pathlib import Path
from typing import Any, Final

from reconstruction_operator.transfer import programs
from reconstruction_operator.transfer.limits import Limits
from reconstruction_operator.transfer.objects.concurrency import Progress
from reconstruction_operator.transfer.photos import checks
from reconstruction_operator.transfer.photos.process import CPU_SECONDS, Start
from reconstruction_operator.transfer.unpacker import limit

_MEMORY_BYTES: Final = 384 << 20  # address space of the interpreter and the libraries, and some for headers


def perform(request: tuple[Sequence[Path], Sequence[Start], Limits], progress: Progress) -> dict[str, Any]:
    """Check the photos, and return the sizes of those that are files."""
    paths, starts, limits = request

    def tick(_fraction: float, _text: str) -> None:
        progress.objects += 1
        progress.report()  # before the photo is opened: a crash is blamed on the newest report
        limit(resource.RLIMIT_CPU, math.ceil(time.process_time()) + CPU_SECONDS)

    def allow(count: int) -> None:
        limit(resource.RLIMIT_AS, _MEMORY_BYTES + count)

    for start, label, is_whole in starts:
        tick(0.0, label)
        allow(checks.DECODER_BYTES * limits.max_pixels)
        checks.check_start(start, label, limits, is_whole=is_whole)
    return {"checked": [astuple(photo) for photo in checks.check_all(paths, limits, tick, allow)]}


if __name__ == "__main__":
    programs.serve(perform)
