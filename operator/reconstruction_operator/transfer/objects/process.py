"""Worker's side of object storage: has a process fetch the photos of an input, check an output, or deliver a result
there.

The process is started for one request, and killed once the transfer is no longer wanted.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from reconstruction_operator import config, disk
from reconstruction_operator.contract.manifest import Manifest
from reconstruction_operator.transfer import digests, names, tenancy, unpack_process
from reconstruction_operator.transfer.errors import StorageError
from reconstruction_operator.transfer.limits import Limits, Tick, section
from reconstruction_operator.transfer.names import Fetched
from reconstruction_operator.transfer.objects import layout
from reconstruction_operator.transfer.objects.address import ObjectAddress, permitted
from reconstruction_operator.transfer.objects.requests import DeliverRequest, FetchRequest, TransferRequest
from reconstruction_operator.transfer.programs import OnProgress, Program
from reconstruction_operator.transfer.runs import DeliveringRun
from reconstruction_operator.units import megabytes

_PROGRAM: Final = "reconstruction_operator.transfer.objects.program"
_LIST_STALLS: Final = 20
_ABORT_SECONDS: Final = 1.5  # time in which the process may abort an upload; a cancel must take effect within 2 s
_FETCH_SHARE: Final = 0.8  # share of the progress for fetching an archive; the rest is for unpacking


def perform(request: TransferRequest, report: OnProgress, *, list_stalls: int = _LIST_STALLS) -> dict[str, Any]:
    """Execute the request in a process, and return its outcome. If `report` raises, the process is ended.

    A complete list may take `list_stalls` times STORAGE_STALL_SECONDS.

    Raises StorageError, SupersededError or OSError, as the process reports it.
    """
    program = Program.start(_PROGRAM, credentials=True)
    begun = time.monotonic()

    def limited(*done: int) -> None:
        report(*done)
        seconds = list_stalls * config.settings.STORAGE_STALL_SECONDS
        if not any(done) and time.monotonic() - begun > seconds:  # pages without an end may all be empty
            reason = "INPUT_UNREACHABLE" if isinstance(request, FetchRequest) else "OUTPUT_UPLOAD_FAILED"
            raise StorageError(reason, f"{request.address} was not listed within {seconds:.0f} s")

    try:
        return program.ask(request, limited)
    finally:
        program.end(_ABORT_SECONDS)


def download(uri: str, into: Path, kept: Path, limits: Limits, tick: Tick) -> Fetched:
    """Fetch the photos of a folder or an archive. Objects that an earlier attempt has fetched into `kept` are reused.

    Nothing is fetched if `limits.known` contains the digest of the listing.

    Raises StorageError: INPUT_NOT_FOUND, INPUT_REFUSED or INPUT_UNREACHABLE; OSError for the disk.
    """
    request = request_for(uri, kept, limits)
    address = request.address
    kept.mkdir(exist_ok=True)
    share = section(tick, 0.0, _FETCH_SHARE if address.is_archive else 1.0)

    def report(objects: int, of_objects: int, count: int, of_count: int) -> None:
        share(count / max(1, of_count), _text(address, objects, of_objects, count, of_count))

    outcome = perform(request, report)
    digest = str(outcome["digest"])
    ignored = names.Ignored(*outcome["ignored"])
    if digests.is_known(digest, limits.known):
        return Fetched((), ignored, digest)
    fetched: list[tuple[str, str]] = outcome["fetched"]  # the name below the address, and the file in `kept`
    if address.is_archive:
        with (kept / fetched[0][1]).open("rb") as archive:
            unpacked = unpack_process.unpack(archive, str(address), into, limits, section(tick, _FETCH_SHARE, 1.0))
            return replace(unpacked, digest=digest)
    flat = names.flattened([name for name, _ in fetched])
    for (_, file), name in zip(fetched, flat, strict=True):
        disk.link(kept / file, into / name)
    return Fetched(tuple(into / name for name in flat), ignored, digest)


def request_for(uri: str, kept: Path, limits: Limits) -> FetchRequest:
    """Return the request of an input that the job may read. Raises StorageError: INPUT_REFUSED."""
    address = permitted(
        uri, "INPUT_REFUSED", "read", schemes=limits.schemes, granted=limits.granted, namespace=limits.namespace
    )
    known = tuple(entry.digest for entry in limits.known)
    return FetchRequest(address, kept, limits.max_bytes, limits.max_files, known)


def _text(address: ObjectAddress, objects: int, of_objects: int, count: int, of_count: int) -> str:
    if not of_objects:
        return f"listing {address}"
    amount = f"{megabytes(count).removesuffix(' MB')} of {megabytes(of_count)}"
    return f"{amount} fetched" if address.is_archive else f"{objects}/{of_objects} photos, {amount}"


@dataclass(frozen=True, slots=True)
class ObjectTarget:
    """An output address in object storage. If `check` or `tick` raises, the process aborts its uploads and exits."""

    uri: str
    namespace: str

    @property
    def path(self) -> None:
        """See `outputs.Target`."""

    def check(self, run: DeliveringRun, check: Callable[[], None], /) -> bool:
        """See `outputs.Target`."""
        return perform(DeliverRequest(self.address, run, None), lambda *_: check())["own"] is True

    def deliver(self, source: Path, run: DeliveringRun, check: Callable[[], None], tick: Tick, /) -> None:
        """See `outputs.Target`. Raises StorageError (OUTPUT_REFUSED, OUTPUT_UPLOAD_FAILED), or SupersededError."""

        def report(_objects: int, _of_objects: int, count: int, of_count: int) -> None:
            check()
            if of_count:
                count = min(count, of_count)  # the manifest is not counted
                tick(count / of_count, f"{megabytes(count).removesuffix(' MB')} of {megabytes(of_count)} delivered")

        perform(DeliverRequest(self.address, run, source), report)

    def withdraw(self, run: DeliveringRun, *, copy: bool) -> None:
        """See `outputs.Target`."""
        from reconstruction_operator.transfer.objects import uploading  # noqa: PLC0415  # loads the client

        uploading.withdraw(self.address, run, copy=copy)

    def place_of(self, manifest: Manifest) -> str:
        """See `outputs.Target`."""
        return f"{manifest.uri.rstrip('/')}/{layout.folder_of(manifest)}"

    @property
    def address(self) -> ObjectAddress:
        """The address, if jobs of the namespace may write to it. Raises StorageError (OUTPUT_REFUSED)."""
        granted = tenancy.granted(config.settings.NAMESPACE_OUTPUTS, self.namespace)
        schemes = config.settings.STORAGE_SCHEMES
        address = permitted(
            self.uri, "OUTPUT_REFUSED", "write to", schemes=schemes, granted=granted, namespace=self.namespace
        )
        if not address.key:
            raise StorageError("OUTPUT_REFUSED", f"{address} is a whole bucket: name a folder in it")
        return address
