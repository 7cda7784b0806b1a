"""Result upload: sends the files first, then `manifest.json`, and the pointer last.

Files that exist already are not sent again.

A reader that follows the pointer never sees a mix of two results: each result has its own folder, and its files never
change.
"""

from __future__ import annotations

import itertools
import mimetypes
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from reconstruction_operator import config
from reconstruction_operator.contract.attempt import SupersededError
from reconstruction_operator.contract.manifest import MANIFEST, Manifest
from reconstruction_operator.transfer.errors import StorageError
from reconstruction_operator.transfer.objects import failures, layout
from reconstruction_operator.transfer.objects.address import ObjectAddress
from reconstruction_operator.transfer.objects.concurrency import Progress
from reconstruction_operator.transfer.objects.destination import Destination
from reconstruction_operator.transfer.objects.layout import Pointer
from reconstruction_operator.transfer.objects.requests import DeliverRequest
from reconstruction_operator.transfer.objects.store import open_store
from reconstruction_operator.transfer.runs import DeliveringRun

_PATIENCE: Final = 10  # times that of a download, since a server responds only to a whole part
_SINGLE_BYTES: Final = 16 << 20  # maximum for one request; the server keeps nothing of an incomplete one
_PART_BYTES: Final = 8 << 20
_PARTS_AT_ONCE: Final = 2
_TYPES: Final = {".glb": "model/gltf-binary"}
_FILES_AT_ONCE: Final = 4  # each file is in memory
_ROUNDS: Final = 3  # of a withdrawal: an upload in progress may complete after the first round


def check(request: DeliverRequest) -> bool:
    """Return whether the address contains a result of this job.

    Permission to write and delete is tested by a probe. Raises StorageError if a delivery would be refused,
    SupersededError if superseded.
    """
    with failures.translating(request.address, failures.OUTPUT):
        destination = Destination(open_store(request.address), request.address, request.run)
        standing = destination.standing()
        destination.refuse_others(standing)
        destination.probe()
        return standing.of(request.run.job_id) is not None


def deliver(request: DeliverRequest, source: Path, progress: Progress) -> None:
    """Deliver the sealed folder `source`.

    Raises StorageError (OUTPUT_REFUSED, OUTPUT_UPLOAD_FAILED), SupersededError, or OSError for the disk.
    """
    with failures.translating(request.address, failures.OUTPUT):
        destination = Destination(open_store(request.address, patience=_PATIENCE), request.address, request.run)
        try:
            _deliver(request, destination, source, progress)
        except (SupersededError, FileNotFoundError) as error:
            is_of_the_client = isinstance(error, FileNotFoundError) and error.errno is None
            if is_of_the_client or not (isinstance(error, SupersededError) or request.run.is_superseded):
                raise
            _leave(destination)
            raise SupersededError from None


def withdraw(address: ObjectAddress, run: DeliveringRun, *, copy: bool) -> None:
    """Delete what attempts up to this one have delivered; without `copy`, only files outside the pointer's folder.

    Raises OSError on failure; the caller must retry, since nothing else records these objects. Raises SupersededError
    once the run's workspace is deleted: another run of the same attempt may have delivered.
    """
    try:
        _withdraw(Destination(open_store(address), address, run), copy=copy)
    except Exception as error:
        if not failures.is_of_the_client(error):
            raise
        if not failures.is_missing_bucket(error):
            raise OSError(failures.translated(error, address, failures.OUTPUT).message) from None


def _withdraw(destination: Destination, *, copy: bool) -> None:
    run = destination.run
    for _ in range(_ROUNDS):
        pointer = destination.standing().of(run.job_id)
        run.check()
        if pointer is not None and pointer.attempt <= run.number and copy:
            # First, so that readers never see files that are being deleted.
            destination.store.delete(destination.address.below(layout.POINTER))
            pointer = None
        deleted = False
        for keys in destination.outdated("" if pointer is None else pointer.folder):
            run.check()
            destination.store.delete(keys)
            deleted = True
        if not deleted:
            return


def _deliver(request: DeliverRequest, destination: Destination, source: Path, progress: Progress) -> None:
    sealed, run = (source / MANIFEST).read_bytes(), request.run
    manifest = Manifest.parse(sealed)
    if manifest is None:
        raise OSError(f"{source / MANIFEST} is not a manifest")
    pointer = Pointer.of(manifest)
    standing = destination.standing()
    destination.refuse_others(standing)
    prefix = request.address.below(pointer.folder)
    sizes = {prefix + name: size for name, size in manifest.sizes}
    keys = {*sizes, prefix + MANIFEST}
    stored = destination.stored(pointer.folder, keys)
    missing = [key for key, size in sizes.items() if stored.get(key) != size]
    progress.of_bytes = sum(sizes.values())
    progress.bytes = progress.of_bytes - sum(sizes[key] for key in missing)
    _upload(destination, {key: source / key.removeprefix(prefix) for key in missing}, progress)
    stored = destination.stored(pointer.folder, keys)
    if not sizes.items() <= stored.items():
        text = f"files disappeared from {request.address}: another program deletes them"
        raise StorageError("OUTPUT_UPLOAD_FAILED", text)
    if stored.get(prefix + MANIFEST) != len(sealed):
        _upload(destination, {prefix + MANIFEST: source / MANIFEST}, progress)
    run.check()
    if standing.pointer != pointer:
        destination.point(pointer, standing, run.check)
    doomed = destination.outdated(pointer.folder)
    if standing.pointer is not None and standing.pointer.job_id in run.predecessors:
        replaced = destination.pages(f"{standing.pointer.job_id}/")
        doomed = itertools.chain(doomed, ([meta["path"] for meta in page] for page in replaced if page))
    for obsolete in doomed:
        if run.is_superseded:  # perhaps by a run of the same attempt with the same digest: the files are that run's
            return
        destination.store.delete(obsolete)


def _leave(destination: Destination) -> None:
    """Delete the files that a superseded run has sent, if a later attempt's result is current; otherwise that attempt
    does.
    """
    try:
        pointer = destination.standing().of(destination.run.job_id)
        if pointer is not None and pointer.attempt > destination.run.number:
            for keys in destination.outdated(pointer.folder):
                destination.store.delete(keys)
    except Exception as error:
        if not failures.is_of_the_client(error):  # the job's clean-up deletes the files later
            raise


def _upload(destination: Destination, files: Mapping[str, Path], progress: Progress) -> None:
    """Send the files, by their keys."""

    def pieces(path: Path) -> Iterator[bytes]:
        with path.open("rb") as reader:
            while piece := reader.read(_PART_BYTES):
                progress.moved(len(piece))
                yield piece

    def work(key: str) -> None:
        path = files[key]
        kind = _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        destination.store.put(
            key,
            pieces(path),  # if it raises, an upload in parts is aborted
            attributes={"Content-Type": kind},
            use_multipart=path.stat().st_size > _SINGLE_BYTES,
            chunk_size=_PART_BYTES,
            max_concurrency=_PARTS_AT_ONCE,
        )

    progress.in_parallel(work, files, min(_FILES_AT_ONCE, config.settings.STORAGE_TRANSFERS))
