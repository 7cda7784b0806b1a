"""Outputs: deliver a result to the job's address, a folder (`folders.delivery`) or object storage (`objects`)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from reconstruction_operator.contract.manifest import Manifest
from reconstruction_operator.transfer.folders import delivery
from reconstruction_operator.transfer.limits import Tick
from reconstruction_operator.transfer.objects import layout, worker_outputs
from reconstruction_operator.transfer.objects.address import is_object
from reconstruction_operator.transfer.runs import Run


def check(uri: str, run: Run, *, namespace: str, check: Callable[[], None]) -> bool:
    """Return whether the address contains a result of this job. Raises StorageError or OvertakenError if `deliver` would."""
    if not is_object(uri):
        return delivery.check(uri, run, namespace=namespace)
    return worker_outputs.check(
        uri,
        check,
        job_id=run.job_id,
        attempt=run.attempt,
        namespace=namespace,
        predecessors=run.predecessors,
    )


def deliver(
    source: Path,
    uri: str,
    run: Run,
    check: Callable[[], None],
    *,
    namespace: str,
    tick: Tick = lambda *_: None,
) -> None:
    """Deliver the sealed folder `source`; `check` is called often and may raise. `tick` gets the progress of an upload.

    Raises StorageError, or OvertakenError.
    """
    if is_object(uri):
        worker_outputs.deliver(
            source,
            uri,
            check,
            job_id=run.job_id,
            attempt=run.attempt,
            workspace=run.folder,
            namespace=namespace,
            tick=tick,
            predecessors=run.predecessors,
        )
    else:
        delivery.deliver(source, uri, run, check, namespace=namespace)


def withdraw(uri: str, run: Run, *, namespace: str, copy: bool = True) -> None:
    """Delete what this run and earlier ones have delivered; without `copy`, only files that no reader can find.

    Call it in a process that does not fork and can be killed. Raises StorageError or OSError on failure, OvertakenError if a
    later run has to do it.
    """
    if is_object(uri):
        from reconstruction_operator.transfer.objects import uploading  # noqa: PLC0415  # loads the client

        address = worker_outputs.target(uri, namespace)
        uploading.withdraw(address, run.job_id, run.attempt, workspace=run.folder, copy=copy)
    else:
        delivery.withdraw(uri, run, namespace=namespace, copy=copy)


def is_killable(uri: str) -> bool:
    """Return whether a delivery to this address stops as soon as its `check` raises, because a process is killed."""
    return is_object(uri)


def place_of(manifest: Manifest) -> str:
    """Return the address of the files of a delivered result; empty if it was not delivered."""
    return layout.result_uri(manifest) if is_object(manifest.uri) else manifest.uri
