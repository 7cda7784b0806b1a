"""Command lines of a node's servers and control plane: pure functions of its addresses and of a folder inside."""

from __future__ import annotations

from devcluster.node.addresses import NODE_NAME, SERVICE_RANGE, Addresses
from devcluster.servers.arguments import ISSUER, MANAGER_REQUESTS_PER_SECOND, flags

_ETCD = "http://127.0.0.1:2379"  # in a separate network namespace


def first(addresses: Addresses, conf: str) -> dict[str, list[str]]:
    """Return the servers that start at once: name -> arguments."""
    apiserver = {
        "etcd-servers": _ETCD,
        "advertise-address": addresses.node,
        "service-cluster-ip-range": SERVICE_RANGE,
        "tls-cert-file": f"{conf}/apiserver.crt",
        "tls-private-key-file": f"{conf}/apiserver.key",
        "client-ca-file": f"{conf}/ca.crt",
        "kubelet-client-certificate": f"{conf}/kubelet-client.crt",
        "kubelet-client-key": f"{conf}/kubelet-client.key",
        "kubelet-preferred-address-types": "InternalIP",
        "service-account-issuer": ISSUER,
        "service-account-key-file": f"{conf}/service-accounts.pub",
        "service-account-signing-key-file": f"{conf}/service-accounts.key",
        "authorization-mode": "Node,RBAC",
        "enable-admission-plugins": "NodeRestriction",
        "allow-privileged": "true",
    }
    return {
        # Without fsync: the data is needed only during the run.
        "etcd": flags({"data-dir": "/var/lib/etcd", "unsafe-no-fsync": "true", "log-level": "warn"}),
        "containerd": flags({"config": f"{conf}/containerd.toml"}),
        "kube-apiserver": flags(apiserver),
    }


def second(addresses: Addresses, conf: str) -> dict[str, list[str]]:
    """Return the servers that start once the API server answers: name -> arguments."""
    manager = {
        "kubeconfig": f"{conf}/kube-controller-manager.kubeconfig",
        "leader-elect": "false",
        "kube-api-qps": MANAGER_REQUESTS_PER_SECOND,
        "kube-api-burst": MANAGER_REQUESTS_PER_SECOND,
        "use-service-account-credentials": "true",
        "service-account-private-key-file": f"{conf}/service-accounts.key",
        "root-ca-file": f"{conf}/ca.crt",
    }
    kubelet = {
        "config": f"{conf}/kubelet.json",
        "kubeconfig": f"{conf}/kubelet.kubeconfig",
        "hostname-override": NODE_NAME,
        "node-ip": addresses.node,
    }
    return {
        "kube-controller-manager": flags(manager),
        "kube-scheduler": flags({"kubeconfig": f"{conf}/kube-scheduler.kubeconfig", "leader-elect": "false"}),
        "kube-proxy": flags({"config": f"{conf}/kube-proxy.json"}),
        "coredns": [f"-conf={conf}/Corefile"],
        "kubelet": flags(kubelet),
    }
