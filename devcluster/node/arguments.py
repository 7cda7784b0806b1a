"""Command lines of a node's servers and control plane: pure functions of its addresses and of a folder inside."""

from __future__ import annotations

from devcluster.node.addresses import NODE_NAME, SERVICE_RANGE, Addresses
from devcluster.servers.arguments import apiserver_options, flags, manager_options

_ETCD = "http://127.0.0.1:2379"  # in a separate network namespace


def first(addresses: Addresses, conf: str) -> dict[str, list[str]]:
    """Return the servers that start at once: name -> arguments."""
    apiserver = apiserver_options(conf) | {
        "etcd-servers": _ETCD,
        "advertise-address": addresses.node,
        "service-cluster-ip-range": SERVICE_RANGE,
        "kubelet-client-certificate": f"{conf}/kubelet-client.crt",
        "kubelet-client-key": f"{conf}/kubelet-client.key",
        "kubelet-preferred-address-types": "InternalIP",
        "authorization-mode": "Node,RBAC",
        "enable-admission-plugins": "NodeRestriction",
    }
    return {
        # Without fsync: the data is needed only during the run.
        "etcd": flags({"data-dir": "/var/lib/etcd", "unsafe-no-fsync": "true", "log-level": "warn"}),
        "containerd": flags({"config": f"{conf}/containerd.toml"}),
        "kube-apiserver": flags(apiserver),
    }


def second(addresses: Addresses, conf: str) -> dict[str, list[str]]:
    """Return the servers that start once the API server answers: name -> arguments."""
    kubelet = {
        "config": f"{conf}/kubelet.json",
        "kubeconfig": f"{conf}/kubelet.kubeconfig",
        "hostname-override": NODE_NAME,
        "node-ip": addresses.node,
    }
    return {
        "kube-controller-manager": flags(manager_options(conf)),
        "kube-scheduler": flags({"kubeconfig": f"{conf}/kube-scheduler.kubeconfig", "leader-elect": "false"}),
        "kube-proxy": flags({"config": f"{conf}/kube-proxy.json"}),
        "coredns": [f"-conf={conf}/Corefile"],
        "kubelet": flags(kubelet),
    }
