"""Program that deletes files: `python -P -m reconstruction_operator.worker.deleting.program`.

A call on a dead mount never returns, and its thread cannot be ended, but a process can be killed. The program reads one request per
line from stdin. It writes to stdout each path that it is about to access, log messages, and finally the outcome. It ends with its worker.
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
from reconstruction_operator.jobfiles import layout, notes, trash
from reconstruction_operator.jobfiles.deletion import delete_job_files
from reconstruction_operator.jobfiles.layout import JobFolder
from reconstruction_operator.transfer import outputs, uris
from reconstruction_operator.transfer.errors import StorageError
from reconstruction_operator.transfer.objects.address import is_object
from reconstruction_operator.transfer.programs import failure_message
from reconstruction_operator.transfer.runs import EVERY_ATTEMPT, Run
from reconstruction_operator.worker.deleting.request import DeletionRequest

logger = logging.getLogger(__name__)

Announce = Callable[[Path], None]
"""Called with the path of a copy or job folder before it is accessed; may raise."""


def perform(request: DeletionRequest, announce: Announce) -> bool:
    """Delete what the request names; return whether there were files. Idempotent: it may be repeated after a kill.

    Raises OSError, OvertakenError or StorageError if something could not be deleted.
    """
    if request.trash_until:
        announce(layout.trash())
        return _expire(request.trash_until)
    if request.uri:
        folder = Path(request.workspace) if request.workspace else None
        run = Run(request.job_id, request.attempt, folder)
        announce(_path_of(request.uri, JobFolder.of(request.job_id)))
        outputs.withdraw(request.uri, run, namespace=request.namespace, copy=request.copy)
        return True
    job = JobFolder.of(request.job_id)
    return _delete(job, announce, cancelled=request.cancelled, retain_seconds=request.retain_seconds)


def _expire(until: float) -> bool:
    """Delete the results in the trash that expire by `until`, the earliest first."""
    found = False
    while (due := next((kept for kept in trash.entries() if kept.until <= until), None)) is not None:
        found = trash.delete(due) or found
    return found


def _delete(folder: JobFolder, announce: Announce, *, cancelled: bool, retain_seconds: int | None) -> bool:
    announce(folder.root)
    if cancelled:
        trash.discard(folder.job_id)
    retained = trash.find(folder.job_id) is not None  # moved there by a worker that died afterwards
    # A run that is still active fails before it delivers, because its workspace is retired. The notes stay until all copies are deleted.
    for workspace in folder.workspaces():
        workspace.retire()
    run = Run(folder.job_id, EVERY_ATTEMPT, folder=None)
    for one in notes.deliveries(folder):
        try:
            announce(_path_of(one.uri, folder))
            outputs.withdraw(
                one.uri, run, namespace=one.owner.namespace, copy=cancelled or not (one.published or retained)
            )
        except StorageError as error:  # the settings have changed since the delivery
            logger.warning("not permitted to delete the delivered copy of job %s: %s", folder.job_id, error)
    announce(folder.root)
    retain = 0 if cancelled else trash.seconds_of(folder) if retain_seconds is None else retain_seconds
    return delete_job_files(folder.job_id, retain_until=time.time() + retain if retain else 0.0)


def _path_of(uri: str, folder: JobFolder) -> Path:
    """Return the path that is about to be accessed. For objects it is the job's folder: a store responds or times out."""
    return folder.root if is_object(uri) else uris.path_of(uri)


class _Relay(logging.Handler):
    """Sends log messages to the worker, where logging is configured."""

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
    os._exit(0)  # the worker has ended or closed the process; this ends even a running deletion


def _answer(line: bytes) -> None:
    request, hung_mounts = DeletionRequest.from_line(line)
    newest: Path | None = None

    def announce(path: Path) -> None:
        nonlocal newest
        if path == newest:
            return
        mount = next((one for one in hung_mounts if path.is_relative_to(one)), None)
        if mount is not None:
            raise TimeoutError(f"{path} is skipped for now: a deletion in {mount} timed out")
        _write(at=str(path))
        newest = path

    try:
        _write(done=perform(request, announce))
    except Exception as error:  # noqa: BLE001  # the worker reports it
        _write(**failure_message(error))


def _write(**message: Any) -> None:
    sys.stdout.write(json.dumps(message, default=os.fsdecode) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
