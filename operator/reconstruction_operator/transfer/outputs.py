"""Outputs: a result is delivered where the job asks, to a folder (`delivery`) or to object storage (`objects`)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from reconstruction_operator.contract.manifest import Manifest
from reconstruction_operator.transfer.folders import collecting, delivery
from reconstruction_operator.transfer.limits import Tick
from reconstruction_operator.transfer.objects import layout, outputs
from reconstruction_operator.transfer.objects.address import is_object
from reconstruction_operator.transfer.occupancy import Occupancy
from reconstruction_operator.transfer.runs import Run


def check(
    uri: str, run: Run, *, namespace: str, check: Callable[[], None], heir_of: tuple[str, str] | None = None
) -> Occupancy:
    """What lies there. Raises StorageError if nothing may be delivered there, or OvertakenError, as `deliver` would.

    `heir_of`: namespace and name of earlier jobs; the result of one of them that lies there is returned, instead of refused.
    """
    if not is_object(uri):
        return delivery.check(uri, run, namespace=namespace, heir_of=heir_of)
    return outputs.check(
        uri,
        check,
        job_id=run.job_id,
        attempt=run.attempt,
        namespace=namespace,
        replaced=run.replaced,
        heir_of=heir_of,
    )


def collect(uri: str, manifest: Manifest, into: Path, check: Callable[[], None], *, namespace: str) -> None:
    """Copies the files of the result that was delivered there into a folder; `check` is called often and may raise.

    The files are those of the manifest by name and size, and not compared with their digests. Raises StorageError or OSError.
    """
    if is_object(uri):
        outputs.collect(uri, manifest, into, check, namespace=namespace)
    else:
        collecting.collect(uri, manifest, into, check, namespace=namespace)


def deliver(
    source: Path,
    uri: str,
    run: Run,
    check: Callable[[], None],
    *,
    namespace: str,
    tick: Tick = lambda *_: None,
) -> None:
    """Delivers the sealed folder `source`; `check` is called often and may raise. `tick` gets the progress of an upload.

    Raises StorageError, or OvertakenError.
    """
    if is_object(uri):
        outputs.deliver(
            source,
            uri,
            check,
            job_id=run.job_id,
            attempt=run.attempt,
            workspace=run.folder,
            namespace=namespace,
            tick=tick,
            replaced=run.replaced,
        )
    else:
        delivery.deliver(source, uri, run, check, namespace=namespace)


def withdraw(uri: str, run: Run, *, namespace: str, copy: bool = True) -> None:
    """Deletes what this run and earlier ones have delivered there; without `copy` only what no reader is led to.

    To be called in a process that does not fork, and can be killed. Raises StorageError or OSError if that failed, OvertakenError if
    a later run has to do it.
    """
    if is_object(uri):
        from reconstruction_operator.transfer.objects import outgoing  # noqa: PLC0415  # loads the client

        address = outputs.target(uri, namespace)
        outgoing.withdraw(address, run.job_id, run.attempt, workspace=run.folder, copy=copy)
    else:
        delivery.withdraw(uri, run, namespace=namespace, copy=copy)


def ends_with_its_caller(uri: str) -> bool:
    """Whether a delivery there is over as soon as its `check` raises: the process that does it is killed."""
    return is_object(uri)


def place_of(manifest: Manifest) -> str:
    """Where the files of a delivered result lie; empty: it was not delivered."""
    return layout.result_uri(manifest) if is_object(manifest.uri) else manifest.uri
