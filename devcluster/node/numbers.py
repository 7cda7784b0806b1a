"""Node numbers: each running node locks one. The number identifies leftovers of a killed node."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from devcluster.errors import DevclusterError
from devcluster.files import locked_if_free, runs_folder
from devcluster.node import cgroups
from devcluster.node.addresses import NUMBERS, Addresses
from devcluster.servers import runs


def sweep() -> list[str]:
    """Remove what nodes of killed launchers left, and return what was removed."""
    removed = [str(folder) for folder in runs.sweep()]
    for number in NUMBERS:
        name = Addresses(number).name
        if cgroups.exist(name):
            with _held(number) as free:
                if free:
                    cgroups.remove(name)
                    removed.append(f"the cgroups {name}")
    return removed


@contextlib.contextmanager
def hold() -> Iterator[int]:
    """Lock a number that no other node of this machine has, for the `with` block."""
    for number in NUMBERS:
        with _held(number) as free:
            if free:
                yield number
                return
    raise DevclusterError(f"{len(NUMBERS)} nodes already run on this machine")


@contextlib.contextmanager
def _held(number: int) -> Iterator[bool]:
    """Lock a number unless another node has it; yield whether this process has it."""
    with locked_if_free(runs_folder() / f"node-{number}.lock") as free:
        # A node of another user, or with another TMPDIR, locks another file: its link shows that it runs.
        yield free and not Path("/sys/class/net", Addresses(number).name).exists()
