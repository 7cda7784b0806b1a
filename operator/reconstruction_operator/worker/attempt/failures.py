"""Failures: the reason and message that a failed run reports, for any exception."""

from __future__ import annotations

import errno
import logging
from pathlib import Path

from reconstruction_operator.disk import free_bytes
from reconstruction_operator.models.interface import ModelFailure
from reconstruction_operator.transfer.errors import StorageError
from reconstruction_operator.units import megabytes

logger = logging.getLogger(__name__)

_MAX_MESSAGE_CHARS = 1_000
_FULL = (errno.ENOSPC, errno.EDQUOT)


class ReconstructionFailedError(Exception):
    """The Celery result of a failed job. Both arguments are plain text, so that they survive JSON."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(reason, message)
        self.reason = reason
        self.message = message

    def __str__(self) -> str:
        """Return reason and message, as logs show them."""
        return f"{self.reason}: {self.message}"


def failure_of(error: Exception, folder: Path) -> ReconstructionFailedError:
    """Return the failure for an exception that ended a run in `folder`. Unexpected exceptions are also logged with their traceback."""
    match error:
        case ModelFailure() | StorageError():
            return _failure(error.reason, error.message)
        case OSError() if error.errno in _FULL:
            return _failure("DISK_FULL", _disk_full(error, folder))
        case MemoryError():
            return _failure("OUT_OF_MEMORY", "the worker's own process had no memory left")
        case OSError() if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            logger.error("the worker lacks write permission: %s", error)
            return _failure("WORKER_ERROR", f"the worker may not use {error.filename or folder}: {error.strerror}")
        case _:
            logger.error("the run failed with an unexpected error", exc_info=error)
            return _failure("WORKER_ERROR", f"{type(error).__name__}: {error}")


def _failure(reason: str, message: str) -> ReconstructionFailedError:
    return ReconstructionFailedError(reason, message.replace("\x00", "")[:_MAX_MESSAGE_CHARS])


def _disk_full(error: OSError, folder: Path) -> str:
    left = free_bytes(folder)
    what = "the quota of the job volume is used up" if error.errno == errno.EDQUOT else "the job volume is full"
    return what if left is None else f"{what}: {megabytes(left)} are left at {folder}"
