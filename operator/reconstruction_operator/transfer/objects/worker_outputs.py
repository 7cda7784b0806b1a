"""Worker's side of outputs in object storage: has a process check the address, or deliver a result."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from reconstruction_operator import config
from reconstruction_operator.transfer import tenancy
from reconstruction_operator.transfer.errors import StorageError
from reconstruction_operator.transfer.limits import Tick
from reconstruction_operator.transfer.objects import process
from reconstruction_operator.transfer.objects.address import ObjectAddress, permitted
from reconstruction_operator.transfer.objects.request import Connection, DeliverRequest
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
    predecessors: frozenset[str] = frozenset(),
) -> None:
    """Deliver the sealed folder `source`.

    `check` and `tick` are called often. If one raises, the process aborts its uploads and exits.

    Raises StorageError (OUTPUT_REFUSED, OUTPUT_UPLOAD_FAILED), or OvertakenError.
    """
    wanted = DeliverRequest(
        target(uri, namespace), job_id, attempt, workspace, source, Connection.from_config(), tuple(predecessors)
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
    predecessors: frozenset[str] = frozenset(),
) -> bool:
    """Return whether the address contains a result of this job. Raises StorageError or OvertakenError if `deliver` would."""
    wanted = DeliverRequest(
        target(uri, namespace), job_id, attempt, None, None, Connection.from_config(), tuple(predecessors)
    )
    return process.perform(wanted, lambda *_: check())["own"] is True


def target(uri: str, namespace: str) -> ObjectAddress:
    """Return the address if jobs of the namespace may write to it. Raises StorageError (OUTPUT_REFUSED)."""
    granted = tenancy.granted(config.settings.NAMESPACE_OUTPUTS, namespace)
    schemes = config.settings.STORAGE_SCHEMES
    address = permitted(uri, _REFUSED, "write to", schemes=schemes, granted=granted, namespace=namespace)
    if not address.key:
        raise StorageError(_REFUSED, f"{address} is a whole bucket: name a folder in it")
    return address
