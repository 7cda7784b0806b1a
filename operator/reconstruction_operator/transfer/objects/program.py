"""Transfer program: transfers objects in a process of its own, `python -P -m
reconstruction_operator.transfer.objects.program`.

The client is not fork-safe, and its calls cannot be interrupted, but a process can be killed.
"""

from __future__ import annotations

from dataclasses import astuple
from pathlib import Path
from typing import Any

from reconstruction_operator.transfer import names, programs
from reconstruction_operator.transfer.objects import downloading, uploading
from reconstruction_operator.transfer.objects.concurrency import Progress
from reconstruction_operator.transfer.objects.requests import DeliverRequest, FetchRequest, TransferRequest
from reconstruction_operator.transfer.objects.store import open_store


def perform(request: TransferRequest, progress: Progress) -> dict[str, Any]:
    """Execute the request, and return its outcome."""
    match request:
        case FetchRequest():
            listing = downloading.fetch(open_store(request.address), request, progress)
            fetched = [[photo.name or photo.key.rpartition("/")[2], photo.file] for photo in listing.objects]
            return {"fetched": fetched, "ignored": astuple(names.ignored(listing.ignored)), "digest": listing.digest}
        case DeliverRequest(source=None):
            return {"own": uploading.check(request)}
        case DeliverRequest(source=Path() as source):
            uploading.deliver(request, source, progress)
    return {}


if __name__ == "__main__":
    programs.serve(perform)
