"""Transfer program: transfers objects in a process of its own, `python -P -m reconstruction_operator.transfer.objects.program`.

The client is not fork-safe, and its calls cannot be interrupted, but a process can be killed. The program reads one request from stdin.
It writes its progress to stdout four times a second, and finally the outcome. It exits when its worker closes stdin; an upload in progress
is aborted first, so that the server keeps no parts of it.
"""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import select
import sys
import threading
from dataclasses import astuple
from pathlib import Path
from typing import Any, Final

from reconstruction_operator import config, privacy
from reconstruction_operator.transfer import names
from reconstruction_operator.transfer.objects import downloading, uploading
from reconstruction_operator.transfer.objects.concurrency import Progress
from reconstruction_operator.transfer.objects.process import DeliverRequest, FetchRequest, TransferRequest
from reconstruction_operator.transfer.objects.store import open_store
from reconstruction_operator.transfer.programs import failure_message

_REPORT_SECONDS: Final = 0.25
_ABORT_SECONDS: Final = 1.2  # more than threads have to abort their uploads


def perform(wanted: TransferRequest, progress: Progress) -> dict[str, Any]:
    """Execute the request, and return its outcome, which `process` turns into a value or an exception."""
    match wanted:
        case FetchRequest():
            listing = downloading.fetch(open_store(wanted.address), wanted, progress)
            fetched = [[one.name or one.key.rpartition("/")[2], one.file] for one in listing.objects]
            return {"fetched": fetched, "ignored": astuple(names.ignored(listing.ignored)), "digest": listing.digest}
        case DeliverRequest(source=None):
            return {"own": uploading.check(wanted)}
        case DeliverRequest(source=Path() as source):
            uploading.deliver(wanted, source, progress)
    return {"done": True}


def main() -> None:
    """Execute the request on stdin."""
    privacy.hide_memory()
    settings, wanted = pickle.load(sys.stdin.buffer)  # noqa: S301  # the worker sent it, which started this process
    config.take_over(settings)
    progress, outcomes = Progress(), list[dict[str, Any]]()

    def work() -> None:
        try:
            outcomes.append(perform(wanted, progress))
        except BaseException as error:  # noqa: BLE001  # the worker reports it; a panic of the client is not an Exception
            outcomes.append(failure_message(error))

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    with contextlib.suppress(BrokenPipeError):
        # Stdin ends when the worker has exited, or no longer wants the transfer.
        while not outcomes and not select.select([sys.stdin], [], [], 0)[0]:
            thread.join(_REPORT_SECONDS)
            write(progress=[progress.objects, progress.of_objects, progress.bytes, progress.of_bytes])
        if outcomes:
            write(**outcomes[0])
    progress.stopping.set()
    thread.join(_ABORT_SECONDS)
    os._exit(0)  # threads may still be in long calls of the client


def write(**message: Any) -> None:
    """Write one message."""
    sys.stdout.write(json.dumps(message, default=os.fsdecode) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
