"""Output targets: where a job's result is delivered, a folder (`folders.delivery`) or object storage
(`objects.process`).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from reconstruction_operator.contract.manifest import Manifest
from reconstruction_operator.transfer.folders.delivery import FolderTarget
from reconstruction_operator.transfer.limits import Tick
from reconstruction_operator.transfer.objects.address import is_object
from reconstruction_operator.transfer.objects.process import ObjectTarget
from reconstruction_operator.transfer.runs import DeliveringRun


class Target(Protocol):
    """An output address, for jobs of one namespace. Settings and address are checked by each method.

    `check` and `tick` are called often and may raise. A method raises StorageError if the job may not use the address,
    and SupersededError if a later run has to do the work.
    """

    @property
    def path(self) -> Path | None:
        """The path that may hang; None: a server, to which a process delivers that is killed as
        soon as `check` raises.
        """

    def check(self, run: DeliveringRun, check: Callable[[], None], /) -> bool:
        """Return whether the address contains a result of this job.

        Raises StorageError or SupersededError if `deliver` would.
        """

    def deliver(self, source: Path, run: DeliveringRun, check: Callable[[], None], tick: Tick, /) -> None:
        """Deliver the sealed folder `source`. `tick` gets the progress of an upload."""

    def withdraw(self, run: DeliveringRun, *, copy: bool) -> None:
        """Delete what this run and earlier ones have delivered; without `copy`, only files that no reader can find.

        Call it in a process that does not fork and can be killed. Raises OSError on failure.
        """

    def place_of(self, manifest: Manifest) -> str:
        """Return the address of the files of a delivered result."""


def target_of(uri: str, namespace: str) -> Target:
    """Return the target at an address, of which nothing is checked yet."""
    return ObjectTarget(uri, namespace) if is_object(uri) else FolderTarget(uri, namespace)
