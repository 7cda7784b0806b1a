"""Transfer program: transfers objects in a process of its own, `python -P -m reconstruction_operator.transfer.objects.program`.

The client is not fork-safe, and its calls cannot be interrupted, but a process can be killed. The program reads one request from stdin.
It writes its progress to stdout twice a second, and finally the outcome. It exits when its worker exits; an upload in progress is aborted
first, so that the server keeps no parts of it.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from dataclasses import astuple
from pathlib import Path
from typing import Any, Final

from reconstruction_operator import privacy
from reconstruction_operator.contract.errors import OvertakenError
from reconstruction_operator.transfer.errors import StorageError
from reconstruction_operator.transfer.objects import downloading, request, store, uploading
from reconstruction_operator.transfer.objects.request import DeliverRequest, FetchRequest

_REPORT_SECONDS: Final = 0.25


class _UnwantedError(BaseException):
    """The worker has exited, or no longer wants the transfer. Not an Exception, so that no error handler catches it."""


class _Outlet:
    """Reports progress at a limited rate; raises _UnwantedError once the transfer is no longer wanted."""

    def __init__(self) -> None:
        self.unwanted = threading.Event()
        self._reported_at = 0.0

    def report(self, objects: int, of_objects: int, count: int, of_count: int) -> None:
        """Report progress, as an `OnProgress`."""
        if self.unwanted.is_set():
            raise _UnwantedError
        now = time.monotonic()
        if now - self._reported_at >= _REPORT_SECONDS or (objects and objects == of_objects):
            self._reported_at = now
            try:
                write(progress=[objects, of_objects, count, of_count])
            except BrokenPipeError:
                raise _UnwantedError from None


def perform(wanted: request.TransferRequest, outlet: _Outlet) -> dict[str, Any]:
    """Execute the request, and return its outcome, which `process` turns into a value or an exception."""
    try:
        match wanted:
            case FetchRequest():
                client = store.open_store(wanted.address, wanted.connection.stall_seconds, wanted.connection.ca_file)
                found = downloading.fetch(client, wanted, outlet.report)
                fetched = [[one.name, one.file, one.bytes] for one in found.fetched]
                return {"fetched": fetched, "ignored": astuple(found.ignored), "digest": found.digest}
            case DeliverRequest(source=None):
                return {"own": uploading.check(wanted, outlet.report)}
            case DeliverRequest(source=Path() as source):
                uploading.deliver(wanted, source, outlet.report)
    except OvertakenError:
        return {"overtaken": True}
    except StorageError as error:
        return {"refused": [error.reason, error.message]}
    except OSError as error:
        return {"errno": error.errno, "strerror": error.strerror or str(error), "filename": error.filename}
    return {"done": True}


def main() -> None:
    """Execute the request on stdin."""
    privacy.hide_memory()
    outlet = _Outlet()
    line = sys.stdin.buffer.readline()
    threading.Thread(target=_wait_for_the_end, args=(outlet,), daemon=True).start()
    signal.signal(signal.SIGTERM, lambda *_: outlet.unwanted.set())
    try:
        write(**perform(request.from_line(line), outlet))
    except (_UnwantedError, BrokenPipeError):
        pass
    except Exception as error:  # noqa: BLE001  # the worker reports it
        first, *_ = str(error).splitlines() or [""]  # the following lines are a dump of the client's state
        write(strerror=f"{type(error).__name__}: {first}")
    os._exit(0)  # threads may still be in long calls of the client


def _wait_for_the_end(outlet: _Outlet) -> None:
    sys.stdin.buffer.read()
    outlet.unwanted.set()


def write(**message: Any) -> None:
    """Write one message."""
    sys.stdout.write(json.dumps(message, default=os.fsdecode) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
