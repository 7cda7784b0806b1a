"""Worker's side of outputs in object storage: has a process check the address, deliver a result, or collect one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from reconstruction_operator import config
from reconstruction_operator.contract.manifest import Manifest
from reconstruction_operator.transfer import tenancy
from reconstruction_operator.transfer.errors import StorageError
from reconstruction_operator.transfer.limits import Tick
from reconstruction_operator.transfer.objects import layout, process
from reconstruction_operator.transfer.objects.address import ObjectAddress, permitted
from reconstruction_operator.transfer.objects.request import CollectRequest, Connection, DeliverRequest
from reconstruction_operator.transfer.runs import Occupancy
from reconstruction_operator.units import megabytes

_REFUSED = "OUTPUT_REFUSED"


def deliver(
    source: Path,
    uri: str,
    check: Callable[[], None],
    *,
    job_id: str,
    attempt: int,
    workspace: Path | None,
    namespace: str,
    tick: Tick,
    replaced: frozenset[str] = frozenset(),
) -> None:
    """Deliver the sealed folder `source`.

    `check` and `tick` are called often. If one raises, the process aborts its uploads and exits.

    Raises StorageError (OUTPUT_REFUSED, OUTPUT_UPLOAD_FAILED), or OvertakenError.
    """
    wanted = DeliverRequest(
        target(uri, namespace), job_id, attempt, workspace, source, Connection.from_config(), tuple(replaced)
    )

    def report(_objects: int, _of_objects: int, count: int, of_count: int) -> None:
        check()
        if of_count:
            amount = f"{megabytes(min(count, of_count)).removesuffix(' MB')} of {megabytes(of_count)}"
            tick(count / of_count, f"{amount} delivered")

    process.perform(wanted, report)


def check(
    uri: str,
    check: Callable[[], None],
    *,
    job_id: str,
    attempt: int,
    namespace: str,
    replaced: frozenset[str] = frozenset(),
    heir_of: tuple[str, str] | None = None,
) -> Occupancy:
    """Return what the address contains. Raises StorageError or OvertakenError if `deliver` would."""
    wanted = DeliverRequest(
        target(uri, namespace), job_id, attempt, None, None, Connection.from_config(), tuple(replaced), heir_of
    )
    found = process.perform(wanted, lambda *_: check())
    earlier = found["earlier"]
    return Occupancy(found["own"] is True, None if earlier is None else Manifest.parse(earlier.encode()))


def collect(uri: str, manifest: Manifest, into: Path, check: Callable[[], None], *, namespace: str) -> None:
    """Fetch the files of the result at the address into the folder `into`. Raises StorageError, or OSError for the disk."""
    wanted = CollectRequest(
        target(uri, namespace), layout.folder_of(manifest), manifest.sizes, into, Connection.from_config()
    )
    process.perform(wanted, lambda *_: check())


def target(uri: str, namespace: str) -> ObjectAddress:
    """Return the address if jobs of the namespace may write to it. Raises StorageError (OUTPUT_REFUSED)."""
    granted = tenancy.granted(config.settings.NAMESPACE_OUTPUTS, namespace)
    schemes = config.settings.STORAGE_SCHEMES
    address = permitted(uri, _REFUSED, "write to", schemes=schemes, granted=granted, namespace=namespace)
    if not address.key:
        raise StorageError(_REFUSED, f"{address} is a whole bucket: name a folder in it")
    return address
