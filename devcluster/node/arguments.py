"""Command lines of a node's servers, control plane included: pure functions of its addresses and of a folder inside."""

from __future__ import annotations

from collections.abc import Mapping

from devcluster.node.addresses import NODE_NAME, SERVICE_RANGE, Addresses

_ISSUER = "https://kubernetes.default.svc.cluster.local"
_ETCD = "http://127.0.0.1:2379"  # in a network namespace of its own
# With the default of 20 a second, a new namespace waits seconds for its service account behind the others.
_MANAGER_REQUESTS_PER_SECOND = 500


def first(addresses: Addresses, conf: str) -> dict[str, list[str]]:
    """Return what starts at once: name -> arguments."""
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
        "service-account-issuer": _ISSUER,
        "service-account-key-file": f"{conf}/service-accounts.pub",
        "service-account-signing-key-file": f"{conf}/service-accounts.key",
        "authorization-mode": "Node,RBAC",
        "enable-admission-plugins": "NodeRestriction",
        "allow-privileged": "true",
    }
    return {
        # Without fsync: the data lives no longer than the run.
        "etcd": _flags({"data-dir": "/var/lib/etcd", "unsafe-no-fsync": "true", "log-level": "warn"}),
        "containerd": _flags({"config": f"{conf}/containerd.toml"}),
        "kube-apiserver": _flags(apiserver),
    }


def second(addresses: Addresses, conf: str) -> dict[str, list[str]]:
    """Return what starts once the API server answers: name -> arguments."""
    manager = {
        "kubeconfig": f"{conf}/kube-controller-manager.kubeconfig",
        "leader-elect": "false",
        "kube-api-qps": _MANAGER_REQUESTS_PER_SECOND,
        "kube-api-burst": _MANAGER_REQUESTS_PER_SECOND,
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
        "kube-controller-manager": _flags(manager),
        "kube-scheduler": _flags({"kubeconfig": f"{conf}/kube-scheduler.kubeconfig", "leader-elect": "false"}),
        "kube-proxy": _flags({"config": f"{conf}/kube-proxy.json"}),
        "coredns": [f"-conf={conf}/Corefile"],
        "kubelet": _flags(kubelet),
    }


def _flags(options: Mapping[str, object]) -> list[str]:
    return [f"--{name}={value}" for name, value in options.items()]
