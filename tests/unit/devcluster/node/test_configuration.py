"""Configuration files of a node's servers."""

from devcluster.node import configuration
from devcluster.node.addresses import Addresses

CONF = "/var/lib/kubernetes"


def test_all_pods_lie_below_the_nodes_own_cgroup() -> None:
    assert configuration.kubelet(Addresses(7), CONF)["cgroupRoot"] == "/recon-node7"


def test_pods_ask_the_dns_server_of_the_node() -> None:
    assert configuration.kubelet(Addresses(7), CONF)["clusterDNS"] == ["10.100.7.2"]
