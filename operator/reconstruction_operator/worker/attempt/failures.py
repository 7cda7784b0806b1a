"""Failures: the reason and message that a failed run reports, for any exception."""

from __future__ import annotations

import errno
import logging
from collections.abc import Callable
from pathlib import Path

from reconstruction_operator import disk
from reconstruction_operator.jobfiles import room
from reconstruction_operator.jobfiles.layout import Workspace
from reconstruction_operator.models.interface import ModelFailure
from reconstruction_operator.telemetry import relay, worker_metrics
from reconstruction_operator.transfer.errors import StorageError
from reconstruction_operator.units import megabytes

logger = logging.getLogger(__name__)

_MAX_MESSAGE_CHARS = 1_000


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
    """Return the failure for an exception that ended a run in `folder`.

    Unexpected exceptions are also logged with their traceback.
    """
    match error:
        case ModelFailure() | StorageError():
            return _failure(error.reason, error.message)
        case OSError() if error.errno in disk.FULL:
            return _disk_full(error, folder)
        case MemoryError():
            return _failure("OUT_OF_MEMORY", "the worker's own process had no memory left")
        case OSError() if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            logger.error("the worker lacks write permission: %s", error)
            return _failure("WORKER_ERROR", f"the worker may not use {error.filename or folder}: {error.strerror}")
        case _:
            logger.error("the run failed with an unexpected error", exc_info=error)
            return _failure("WORKER_ERROR", f"{type(error).__name__}: {error}")


def with_room(
    failure: ReconstructionFailedError, namespace: str, space: Workspace | None, wait: Callable[[float], object]
) -> ReconstructionFailedError:
    """Return the failure.

    If it is a full job volume, the run's files are deleted, and what is kept if that does not suffice (`room`).

    The message says how many results in the trash were deleted before they expire. `wait` gets seconds, and may raise.
    """
    if failure.reason != "DISK_FULL":
        return failure
    try:
        deleted = room.make(namespace, space, wait=wait)
    except OSError as error:
        logger.error("could not make room on the job volume: %s", error)  # noqa: TRY400  # the message is enough
        return failure
    if not deleted:
        return failure
    relay.report(worker_metrics.RESULTS_EXPELLED, deleted)
    text = f"results in the trash that were deleted early, to make room: {deleted}"
    logger.warning("%s", text)
    return _failure(failure.reason, f"{failure.message}; {text}")


def _failure(reason: str, message: str) -> ReconstructionFailedError:
    return ReconstructionFailedError(reason, message.replace("\x00", "")[:_MAX_MESSAGE_CHARS])


def _disk_full(error: OSError, folder: Path) -> ReconstructionFailedError:
    """Return DISK_FULL only for the job volume. A full volume of an output is a StorageError of the delivery."""
    if error.filename and not disk.shares_disk(Path(str(error.filename)), folder):
        text = f"a file system of the worker is full, not the job volume: {error.strerror} ({error.filename})"
        return _failure("WORKER_ERROR", text)
    left = disk.free_bytes(folder)
    what = "the quota of the job volume is used up" if error.errno == errno.EDQUOT else "the job volume is full"
    return _failure("DISK_FULL", what if left is None else f"{what}: {megabytes(left)} are left at {folder}")
