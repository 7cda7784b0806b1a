"""Addresses of a node: each running node of this machine locks a number, and has with it a /24 network.

The number also identifies leftovers of a killed node.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from devcluster.errors import DevclusterError
from devcluster.files import locked_if_free, runs_folder
from devcluster.node import cgroups
from devcluster.servers import runs
from devcluster.servers.arguments import SERVICE_NAMES

NUMBERS = range(1, 250)
NODE_NAME = "node1"
CLUSTER_DOMAIN = "cluster.local"
API_PORT = 6443
POD_RANGE = "10.244.0.0/24"  # the same in each node: the networks never meet
SERVICE_RANGE = "10.96.0.0/16"
API_SERVICE = "10.96.0.1"  # the first of the service range: `kubernetes.default`


@dataclass(frozen=True)
class Addresses:
    """The names and addresses that follow from a node's number."""

    number: int

    @property
    def name(self) -> str:
        """Name of the link on the machine's side, and of the cgroups. A link's name has at most 15 characters."""
        return f"recon-node{self.number}"

    @property
    def machine(self) -> str:
        """The machine's address in the node's network."""
        return f"10.100.{self.number}.1"

    @property
    def node(self) -> str:
        """The node's address, for the API server and NodePorts."""
        return f"10.100.{self.number}.2"

    @property
    def url(self) -> str:
        """Address of the API server, for the machine and the node."""
        return f"https://{self.node}:{API_PORT}"

    @property
    def api_hosts(self) -> tuple[str, ...]:
        """Every name by which clients call the API server."""
        return (self.node, "127.0.0.1", API_SERVICE, "localhost", *SERVICE_NAMES)


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
