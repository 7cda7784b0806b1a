"""Numbers of nodes: each running node of this machine holds one, and what a killed one left is found by it."""

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
    """Remove what nodes left whose launchers were killed; return what was removed."""
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
    """Hold a number that no other node of this machine has, for the `with` block."""
    for number in NUMBERS:
        with _held(number) as free:
            if free:
                yield number
                return
    raise DevclusterError(f"{len(NUMBERS)} nodes run on this machine already")


@contextlib.contextmanager
def _held(number: int) -> Iterator[bool]:
    """Hold a number, unless another node has it; the value is whether this process does."""
    with locked_if_free(runs_folder() / f"node-{number}.lock") as free:
        # A node of another user, or with another TMPDIR, holds another file: its link shows that it runs.
        yield free and not Path("/sys/class/net", Addresses(number).name).exists()
