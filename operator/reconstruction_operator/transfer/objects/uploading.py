"""Outgoing results: files first, `manifest.json` after them, the pointer last. Files that exist already are not sent again.

A reader that follows the pointer never sees a mix of two results: a result has a folder of its own, and its files never change.
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
from reconstruction_operator.transfer.runs import Occupancy

UPLOAD_PATIENCE = 10  # times the patience of a download, since the progress of an upload shows only whole parts

_SINGLE_BYTES = 16 << 20  # files up to this size go in one request, of which a server keeps nothing if it breaks off
_PART_BYTES = 8 << 20
_PARTS_AT_ONCE = 2
_TYPES = {".glb": "model/gltf-binary"}
_FILES_AT_ONCE = 4  # each is in memory
_ROUNDS = 3  # of a withdrawal: an upload under way may complete after the first round


@dataclass(frozen=True, slots=True)
class _File:
    path: Path
    key: str
    bytes: int


def check(request: DeliverRequest, report: OnProgress) -> Occupancy:
    """What the address holds. Raises StorageError if nothing may be delivered there, OvertakenError if a later attempt has delivered.

    Only a probe shows whether the workers may write and delete. The result of an earlier job that the
    request may take over (`heir_of`) is not refused, but returned.
    """
    with failures.translating(request.address, failures.OUTPUT):
        target = _target_of(request, lambda: report(0, 0, 0, 0))
        found = target.standing()
        earlier = target.earlier(found, *request.heir_of) if request.heir_of else None
        if earlier is None:
            target.refuse_others(found)
        target.probe()
        return Occupancy(_is_of(request.job_id, found), earlier)


def deliver(request: DeliverRequest, source: Path, report: OnProgress) -> None:
    """Delivers the sealed folder `source`.

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
    """Deletes what attempts up to this one have delivered; without `copy` only files that the pointer does not name.

    Raises OSError if that failed; the caller has to repeat it, since nothing else records these objects. Raises OvertakenError once
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
            target.unpoint()  # first, so that no reader finds files that are being deleted
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
            "OUTPUT_UPLOAD_FAILED", f"files vanished from {request.address}: another program deletes there"
        )
    if there.get(last.key) != last.bytes:
        _upload(target, [last], 1, lambda count: report(0, 0, count, total))
    _refuse_overtaken(request.workspace)
    if standing is None or standing.pointer != wanted:
        target.point(wanted, standing, lambda: _refuse_overtaken(request.workspace))
    report(1, 1, total, total)
    doomed = [key for key in target.files(f"{request.job_id}/") if _is_doomed(target, key, wanted.folder)]
    if standing is not None and standing.pointer is not None and standing.pointer.job_id in target.replaced:
        doomed += target.files(standing.pointer.folder)
    if not _is_overtaken(
        request.workspace
    ):  # if it has the same digest, the files may be those of a run of the same attempt
        target.delete(doomed)


def _is_of(job_id: str, standing: Standing | None) -> bool:
    return standing is not None and standing.pointer is not None and standing.pointer.job_id == job_id


def _leave(target: Target) -> None:
    """Deletes the files that an overtaken run has sent, if a later attempt's result is current; otherwise that attempt deletes them."""
    try:
        standing = target.standing()
        pointer = None if standing is None else standing.pointer
        if pointer is not None and pointer.job_id == target.job_id and pointer.attempt > target.attempt:
            target.delete([key for key in target.files(f"{target.job_id}/") if _is_doomed(target, key, pointer.folder)])
    except Exception as error:
        if not failures.is_of_the_client(error):  # the clean-up of the job's files deletes them then
            raise


def _target_of(request: DeliverRequest, tick: Callable[[], None]) -> Target:
    target = _target(request.address, request.job_id, request.attempt, request.connection, tick)
    return replace(target, replaced=request.replaced)


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
        else:  # an exception of `pieces` aborts the upload
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
    """Whether the object belongs to a result of this or an earlier attempt, except the one in the folder `kept`."""
    name = key.removeprefix(target.address.below(f"{target.job_id}/")).partition("/")[0]
    attempt = layout.attempt_of(name)
    return attempt is not None and attempt <= target.attempt and f"{target.job_id}/{name}/" != kept


def _is_overtaken(workspace: Path | None) -> bool:
    return workspace is not None and not workspace.exists()


def _refuse_overtaken(workspace: Path | None) -> None:
    if _is_overtaken(workspace):
        raise OvertakenError
