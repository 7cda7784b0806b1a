"""Addresses of a node: each node of this machine has a number, and with it a /24 network."""

from __future__ import annotations

from dataclasses import dataclass

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
