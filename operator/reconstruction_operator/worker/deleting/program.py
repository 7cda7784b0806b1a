"""Program that deletes files: `python -P -m reconstruction_operator.worker.deleting.program`.

A call on a dead mount never returns, and a thread in it cannot be ended: a process can. It reads requests from stdin, a line each,
and writes to stdout which place it is about to touch, log messages, and at last the outcome. It ends with its worker.
"""

from __future__ import annotations

import json
import logging
import os
import queue
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from reconstruction_operator import privacy
from reconstruction_operator.contract.errors import OvertakenError
from reconstruction_operator.jobfiles import layout, notes, trash
from reconstruction_operator.jobfiles.deletion import delete_job_files
from reconstruction_operator.jobfiles.layout import JobFolder
from reconstruction_operator.transfer import outputs, uris
from reconstruction_operator.transfer.errors import StorageError
from reconstruction_operator.transfer.objects.address import is_object
from reconstruction_operator.transfer.runs import EVERY_ATTEMPT, Run
from reconstruction_operator.worker.deleting.request import DeletionRequest

logger = logging.getLogger(__name__)

Announce = Callable[[Path], None]
"""Gets the place of a copy, or the job folder, before it is deleted; may raise."""


def perform(request: DeletionRequest, announce: Announce) -> bool:
    """Deletes what the request names; returns whether a job had files. Idempotent: it may be resumed after a kill.

    Raises OSError, OvertakenError or StorageError if something could not be deleted.
    """
    if request.trash_until:
        announce(layout.trash())
        return _expire(request.trash_until)
    if request.uri:
        folder = Path(request.workspace) if request.workspace else None
        run = Run(request.job_id, request.attempt, folder)
        announce(_place(request.uri, JobFolder.of(request.job_id)))
        outputs.withdraw(request.uri, run, namespace=request.namespace, copy=request.copy)
        return True
    job = JobFolder.of(request.job_id)
    return _delete(job, announce, cancelled=request.cancelled, retain_seconds=request.retain_seconds)


def _expire(until: float) -> bool:
    """Deletes results in the trash whose time is over, the earliest first."""
    found = False
    while (due := next((kept for kept in trash.entries() if kept.until <= until), None)) is not None:
        found = trash.delete(due) or found
    return found


def _delete(folder: JobFolder, announce: Announce, *, cancelled: bool, retain_seconds: int | None) -> bool:
    announce(folder.root)
    if cancelled:
        trash.discard(folder.job_id)
    retained = trash.find(folder.job_id) is not None  # a worker died after it had moved the folder there
    # A run that is still active fails before it delivers, because its workspace is deleted. The notes stay until all copies are deleted.
    for workspace in folder.workspaces():
        workspace.retire()
    run = Run(folder.job_id, EVERY_ATTEMPT, folder=None)
    for one in notes.deliveries(folder):
        try:
            announce(_place(one.uri, folder))
            outputs.withdraw(
                one.uri, run, namespace=one.owner.namespace, copy=cancelled or not (one.published or retained)
            )
        except StorageError as error:  # the settings have changed since the delivery
            logger.warning("the delivered copy of job %s may not be deleted: %s", folder.job_id, error)
    announce(folder.root)
    retain = 0 if cancelled else trash.seconds_of(folder) if retain_seconds is None else retain_seconds
    return delete_job_files(folder.job_id, retain_until=time.time() + retain if retain else 0.0)


def _place(uri: str, folder: JobFolder) -> Path:
    """The path that is about to be touched. For objects it is the job's folder, because a store answers or times out."""
    return folder.root if is_object(uri) else uris.path_of(uri)


class _Relay(logging.Handler):
    """Sends log messages to the worker, which has the configuration of logs."""

    def emit(self, record: logging.LogRecord) -> None:
        _write(log=[record.levelno, record.getMessage()])


def main() -> None:
    """Carry out requests until stdin ends."""
    privacy.hide_memory()
    logging.getLogger().addHandler(_Relay())
    lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(lines,), daemon=True).start()
    while True:
        _answer(lines.get())


def _read(lines: queue.SimpleQueue[bytes]) -> None:
    for line in sys.stdin.buffer:
        lines.put(line)
    os._exit(0)  # the worker has ended, or needs nothing more; ends even in the middle of a deletion


def _answer(line: bytes) -> None:
    request, hanging = DeletionRequest.from_line(line)
    newest: Path | None = None

    def announce(place: Path) -> None:
        nonlocal newest
        if place == newest:
            return
        dead = next((one for one in hanging if place.is_relative_to(one)), None)
        if dead is not None:
            raise TimeoutError(f"{place} is left alone for now: a deletion in {dead} did not end")
        _write(at=str(place))
        newest = place

    try:
        _write(done=perform(request, announce))
    except OvertakenError:
        _write(overtaken=True)
    except StorageError as error:
        _write(refused=[error.reason, error.message])
    except OSError as error:
        _write(errno=error.errno, strerror=error.strerror or str(error), filename=error.filename)
    except Exception as error:  # noqa: BLE001  # the worker reports it
        _write(errno=None, strerror=f"{type(error).__name__}: {error}", filename=None)


def _write(**message: Any) -> None:
    sys.stdout.write(json.dumps(message, default=os.fsdecode) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
