"""Command lines of a node's servers."""

from devcluster.node import arguments
from devcluster.node.addresses import Addresses

CONF = "/var/lib/kubernetes"


def test_all_but_the_core_starts_after_the_api_server() -> None:
    first, second = arguments.first(Addresses(7), CONF), arguments.second(Addresses(7), CONF)
    assert set(first) == {"etcd", "containerd", "kube-apiserver"}
    assert set(second) == {"kube-controller-manager", "kube-scheduler", "kube-proxy", "coredns", "kubelet"}
