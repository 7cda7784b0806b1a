"""Failures of a local run, in the words of one machine: a worker's speak of a cluster."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Final

from reconstruction_operator import disk
from reconstruction_operator.contract.outcomes import reason
from reconstruction_operator.units import megabytes
from reconstruction_operator.worker.attempt import failures

# Reason -> what to do, where a worker's advice does not apply. The message of an empty one says all.
_ADVICE: Final = {
    "BACKEND_CRASHED": "If it happens again, report it with the photos.",
    "BACKEND_UNAVAILABLE": "",
    "DISK_FULL": "Free space there, or name a folder on another disk (-o).",
    "INPUT_NOT_FOUND": "",
    "INPUT_REFUSED": "",
    "INVALID_PARAMETERS": "",
    "OUTPUT_REFUSED": "",
    "OUT_OF_MEMORY": "Use quality fast, a lower maxImageSize or fewer photos, or close other programs.",
    "WORKER_ERROR": "This is a defect, a wrong setting, or an overloaded machine.",
}


def failure_of(error: Exception, output: Path) -> tuple[str, str]:
    """Return the reason, and the message with advice, for an exception that ended a run with its files in `output`."""
    match error:
        case OSError() if error.errno in disk.FULL:
            return _disk_full(error, output)
        case OSError() if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            return "WORKER_ERROR", f"{error.filename or output} may not be used: {error.strerror}"
        case MemoryError():
            end = failures.ReconstructionFailedError("OUT_OF_MEMORY", "this machine had no memory left")
        case _:
            end = failures.failure_of(error, output)
    advice = _ADVICE.get(end.reason, reason(end.reason).advice)
    stop = "" if not advice or end.message.endswith((".", "!", "?", "…")) else "."
    return end.reason, f"{end.message}{stop} {advice}".strip()


def _disk_full(error: OSError, output: Path) -> tuple[str, str]:
    """Return the failure with the folder on the disk that is full, which may be another one than that of the output."""
    name = error.filename2 or error.filename  # the target of a copy is the second
    path = Path(str(name)) if name else output
    folder = output if disk.shares_disk(path, output) else path.parent
    what = "your quota is used up" if error.errno == errno.EDQUOT else "the disk is full"
    left = disk.free_bytes(folder)
    text = f"{what}: {'little is' if left is None else f'{megabytes(left)} are'} left at {folder}"
    return "DISK_FULL", f"{text}. {_ADVICE['DISK_FULL']}"
