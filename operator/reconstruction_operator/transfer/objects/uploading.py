"""Result upload: sends the files first, then `manifest.json`, and the pointer last. Files that exist already are not sent again.

A reader that follows the pointer never sees a mix of two results: each result has its own folder, and its files never change.
"""

from __future__ import annotations

import mimetypes
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from reconstruction_operator.contract.errors import OvertakenError
from reconstruction_operator.contract.manifest import MANIFEST, Manifest
from reconstruction_operator.transfer.errors import StorageError
from reconstruction_operator.transfer.objects import failures, layout
from reconstruction_operator.transfer.objects.address import ObjectAddress
from reconstruction_operator.transfer.objects.concurrency import Clock, TransferPool
from reconstruction_operator.transfer.objects.layout import Pointer
from reconstruction_operator.transfer.objects.request import Connection, DeliverRequest, OnProgress
from reconstruction_operator.transfer.objects.store import open_store
from reconstruction_operator.transfer.objects.target import Standing, Target

UPLOAD_PATIENCE = 10  # times that of a download, since an upload reports only whole parts as progress

_SINGLE_BYTES = 16 << 20  # maximum for one request; the server keeps nothing of an incomplete one
_PART_BYTES = 8 << 20
_PARTS_AT_ONCE = 2
_TYPES = {".glb": "model/gltf-binary"}
_FILES_AT_ONCE = 4  # each file is in memory
_ROUNDS = 3  # of a withdrawal: an upload in progress may complete after the first round


@dataclass(frozen=True, slots=True)
class _File:
    path: Path
    key: str
    bytes: int


def check(request: DeliverRequest, report: OnProgress) -> bool:
    """Return whether the address contains a result of this job.

    Permission to write and delete is tested by a probe. Raises StorageError if a delivery would be refused, OvertakenError if superseded.
    """
    with failures.translating(request.address, failures.OUTPUT):
        target = _target_of(request, lambda: report(0, 0, 0, 0))
        standing = target.standing()
        target.refuse_others(standing)
        target.probe()
        return _is_of(request.job_id, standing)


def deliver(request: DeliverRequest, source: Path, report: OnProgress) -> None:
    """Deliver the sealed folder `source`.

    Raises StorageError (OUTPUT_REFUSED, OUTPUT_UPLOAD_FAILED), OvertakenError, or OSError for the disk.
    """
    with failures.translating(request.address, failures.OUTPUT):
        target = _target_of(request, lambda: report(0, 0, 0, 0))
        try:
            _deliver(request, target, source, report)
        except (OvertakenError, FileNotFoundError) as error:
            is_of_the_client = isinstance(error, FileNotFoundError) and error.errno is None
            if is_of_the_client or not (isinstance(error, OvertakenError) or _is_overtaken(request.workspace)):
                raise
            _leave(target)
            raise OvertakenError from None


def withdraw(address: ObjectAddress, job_id: str, attempt: int, *, workspace: Path | None, copy: bool) -> None:
    """Delete what attempts up to this one have delivered; without `copy`, only files outside the pointer's folder.

    Raises OSError on failure; the caller must retry, since nothing else records these objects. Raises OvertakenError once
    `workspace` is deleted: another run of the same attempt may have delivered.
    """
    try:
        _withdraw(address, job_id, attempt, workspace=workspace, copy=copy)
    except Exception as error:
        if not failures.is_of_the_client(error):
            raise
        if not failures.is_missing_bucket(error):
            raise OSError(failures.translated(error, address, failures.OUTPUT).message) from None


def _withdraw(address: ObjectAddress, job_id: str, attempt: int, *, workspace: Path | None, copy: bool) -> None:
    target = _target(address, job_id, attempt, Connection.from_config(), lambda: None)
    for _ in range(_ROUNDS):
        standing = target.standing()
        pointer = None if standing is None else standing.pointer
        mine = pointer is not None and pointer.job_id == job_id
        _refuse_overtaken(workspace)
        if mine and pointer is not None and pointer.attempt <= attempt and copy:
            target.unpoint()  # first, so that readers never see files that are being deleted
            mine = False
        kept = pointer.folder if mine and pointer is not None else ""
        doomed = [key for key in target.files(f"{job_id}/") if _is_doomed(target, key, kept)]
        if not doomed:
            return
        _refuse_overtaken(workspace)
        target.delete(doomed)


def _deliver(request: DeliverRequest, target: Target, source: Path, report: OnProgress) -> None:
    sealed = (source / MANIFEST).read_bytes()
    manifest = Manifest.parse(sealed)
    if manifest is None:
        raise OSError(f"{source / MANIFEST} is not a manifest")
    wanted, total = Pointer.of(manifest), sum(one.bytes for one in manifest.files)
    standing = target.standing()
    target.refuse_others(standing)
    files = [
        _File(source / one.name, target.address.below(wanted.folder + one.name), one.bytes) for one in manifest.files
    ]
    last = _File(source / MANIFEST, target.address.below(wanted.folder + MANIFEST), len(sealed))
    there = target.files(wanted.folder)
    missing = [one for one in files if there.get(one.key) != one.bytes]
    _upload(
        target,
        missing,
        min(_FILES_AT_ONCE, request.connection.at_once),
        lambda count: report(0, len(missing), count, total),
    )
    there = target.files(wanted.folder)
    if any(there.get(one.key) != one.bytes for one in files):
        raise StorageError(
            "OUTPUT_UPLOAD_FAILED", f"files disappeared from {request.address}: another program deletes them"
        )
    if there.get(last.key) != last.bytes:
        _upload(target, [last], 1, lambda count: report(0, 0, count, total))
    _refuse_overtaken(request.workspace)
    if standing is None or standing.pointer != wanted:
        target.point(wanted, standing, lambda: _refuse_overtaken(request.workspace))
    report(1, 1, total, total)
    doomed = [key for key in target.files(f"{request.job_id}/") if _is_doomed(target, key, wanted.folder)]
    if standing is not None and standing.pointer is not None and standing.pointer.job_id in target.predecessors:
        doomed += target.files(standing.pointer.folder)
    # If superseded by a run of the same attempt with the same digest, the files are that run's.
    if not _is_overtaken(request.workspace):
        target.delete(doomed)


def _is_of(job_id: str, standing: Standing | None) -> bool:
    return standing is not None and standing.pointer is not None and standing.pointer.job_id == job_id


def _leave(target: Target) -> None:
    """Delete the files that a superseded run has sent, if a later attempt's result is current; otherwise that attempt does."""
    try:
        standing = target.standing()
        pointer = None if standing is None else standing.pointer
        if pointer is not None and pointer.job_id == target.job_id and pointer.attempt > target.attempt:
            target.delete([key for key in target.files(f"{target.job_id}/") if _is_doomed(target, key, pointer.folder)])
    except Exception as error:
        if not failures.is_of_the_client(error):  # the job's clean-up deletes the files later
            raise


def _target_of(request: DeliverRequest, tick: Callable[[], None]) -> Target:
    target = _target(request.address, request.job_id, request.attempt, request.connection, tick)
    return replace(target, predecessors=request.predecessors)


def _target(
    address: ObjectAddress, job_id: str, attempt: int, connection: Connection, tick: Callable[[], None]
) -> Target:
    patience = UPLOAD_PATIENCE * connection.stall_seconds
    return Target(open_store(address, patience, connection.ca_file), address, job_id, attempt, Clock(patience), tick)


def _upload(target: Target, files: list[_File], at_once: int, tick: Callable[[int], None]) -> None:
    clock = target.clock

    def pieces(file: _File) -> Iterator[bytes]:
        with file.path.open("rb") as reader:
            while piece := reader.read(_PART_BYTES):
                pool.moved(len(piece))
                yield piece

    def work(file: _File) -> None:
        kind = _TYPES.get(file.path.suffix) or mimetypes.guess_type(file.path.name)[0] or "application/octet-stream"
        attributes = {"Content-Type": kind}
        if file.bytes <= _SINGLE_BYTES:
            content = b"".join(pieces(file))
            target.store.put(file.key, content, attributes=attributes, use_multipart=False)
        else:  # if `pieces` raises, the upload is aborted
            target.store.put(
                file.key,
                pieces(file),
                attributes=attributes,
                use_multipart=True,
                chunk_size=_PART_BYTES,
                max_concurrency=_PARTS_AT_ONCE,
            )

    pool = TransferPool(work, clock, at_once)
    pool.run(files, lambda: tick(clock.bytes))


def _is_doomed(target: Target, key: str, kept: str) -> bool:
    """Return whether the object belongs to a result of this or an earlier attempt, outside the folder `kept`."""
    name = key.removeprefix(target.address.below(f"{target.job_id}/")).partition("/")[0]
    attempt = layout.attempt_of(name)
    return attempt is not None and attempt <= target.attempt and f"{target.job_id}/{name}/" != kept


def _is_overtaken(workspace: Path | None) -> bool:
    return workspace is not None and not workspace.exists()


def _refuse_overtaken(workspace: Path | None) -> None:
    if _is_overtaken(workspace):
        raise OvertakenError
