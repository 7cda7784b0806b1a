"""Outputs to object storage: the worker's side of deliveries, and their withdrawal."""

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
    source: Path | None,
    uri: str,
    check: Callable[[], None],
    *,
    job_id: str,
    attempt: int,
    workspace: Path | None,
    namespace: str,
    tick: Tick,
    replaced: frozenset[str] = frozenset(),
) -> bool:
    """Delivers the sealed folder `source`; without one, only checks whether that would be refused.

    Returns whether a result of this job lay there.

    `check` and `tick` are called often and may raise: the process that delivers has ended then, and has aborted what it was sending.

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

    return process.perform(wanted, report)["stood"] is True


def target(uri: str, namespace: str) -> ObjectAddress:
    """The address, if a job of that namespace may write to it. Raises StorageError (OUTPUT_REFUSED)."""
    granted = tenancy.granted(config.settings.NAMESPACE_OUTPUTS, namespace)
    schemes = config.settings.STORAGE_SCHEMES
    address = permitted(uri, _REFUSED, "write to", schemes=schemes, granted=granted, namespace=namespace)
    if not address.key:
        raise StorageError(_REFUSED, f"{address} is a whole bucket: name a folder in it")
    return address
