"""Command lines of the servers: pure functions of ports and of a folder with certificates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_ISSUER = "https://kubernetes.default.svc.cluster.local"
SERVICE_RANGE = "10.0.0.0/24"
SERVICE_NAMES = ("kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local")
HOSTS = ("127.0.0.1", "localhost", *SERVICE_NAMES, "10.0.0.1")
"""Every name by which a client may call the API server; the last is the first address of the service range."""

# The controllers that a cluster without nodes needs, those of the program `controllers`.
_USUAL = (
    "clusterrole-aggregation-controller",  # adds a chart's rules to admin, edit and view
    "garbage-collector-controller",
    "namespace-controller",
    "root-ca-certificate-publisher-controller",
    "serviceaccount-controller",
    "serviceaccount-token-controller",
)

# With the default of 20 a second, a new namespace waits seconds for its service account.
_MANAGER_REQUESTS_PER_SECOND = 500


@dataclass(frozen=True)
class Ports:
    """Loopback ports of one control plane. They stay the same when a server is started again."""

    etcd: int
    etcd_peer: int
    apiserver: int


def etcd(folder: Path, ports: Ports) -> list[str]:
    """Run etcd for one client, which needs a certificate: else any process could bypass the API server's rules.

    Without fsync for each write: the data is needed only during the run. It survives a kill of the process, but not a
    crash of the machine. etcd still syncs each snapshot (10,000 writes) and each new segment of its log (64 MB).
    """
    client, peer = (f"https://127.0.0.1:{port}" for port in (ports.etcd, ports.etcd_peer))
    options: dict[str, object] = {
        "name": "devcluster",
        "data-dir": folder / "etcd",
        "listen-client-urls": client,
        "advertise-client-urls": client,
        "listen-peer-urls": peer,
        "initial-advertise-peer-urls": peer,
        "initial-cluster": f"devcluster={peer}",
        "unsafe-no-fsync": "true",
        "log-level": "warn",
    }
    for prefix in ("", "peer-"):
        options |= {
            f"{prefix}client-cert-auth": "true",
            f"{prefix}trusted-ca-file": folder / "ca.crt",
            f"{prefix}cert-file": folder / "etcd.crt",
            f"{prefix}key-file": folder / "etcd.key",
        }
    return flags(options)


def apiserver(folder: Path, ports: Ports, extra: Sequence[str] = ()) -> list[str]:
    """Run the API server on the loopback address, with RBAC."""
    options = apiserver_options(folder) | {
        "etcd-servers": f"https://127.0.0.1:{ports.etcd}",
        "etcd-cafile": folder / "ca.crt",
        "etcd-certfile": folder / "etcd.crt",
        "etcd-keyfile": folder / "etcd.key",
        "bind-address": "127.0.0.1",
        "secure-port": ports.apiserver,
        # Else it reads the machine's default route, and fails on a machine without network.
        "advertise-address": "127.0.0.1",
        "endpoint-reconciler-type": "none",
        "token-auth-file": folder / "tokens.csv",
        "authorization-mode": "RBAC",
        "service-cluster-ip-range": SERVICE_RANGE,
    }
    return [*flags(options), *extra]


def controllers(folder: Path) -> list[str]:
    """Run the usual controllers, each as its service account in RBAC."""
    return flags({**_controller_files(folder), "kube-api-qps": _MANAGER_REQUESTS_PER_SECOND})


def controller_manager(folder: Path, more: Sequence[str]) -> list[str]:
    """Run the usual controllers and those of `more`, each as its service account in RBAC."""
    options = manager_options(folder) | {
        "controllers": ",".join((*_USUAL, *more)),
        "secure-port": 0,  # nothing reads its metrics
    }
    return flags(options)


def apiserver_options(folder: Path | str) -> dict[str, object]:
    """Return options of every API server; its certificates and keys are in `folder`."""
    return {
        "tls-cert-file": f"{folder}/apiserver.crt",
        "tls-private-key-file": f"{folder}/apiserver.key",
        "client-ca-file": f"{folder}/ca.crt",
        "service-account-issuer": _ISSUER,
        "service-account-key-file": f"{folder}/service-accounts.pub",
        "service-account-signing-key-file": f"{folder}/service-accounts.key",
        "allow-privileged": "true",
    }


def manager_options(folder: Path | str) -> dict[str, object]:
    """Return options of every controller manager; its kubeconfig and keys are in `folder`."""
    return {
        **_controller_files(folder),
        "use-service-account-credentials": "true",
        "leader-elect": "false",  # there is one manager, which need not wait until an old lease expires
        "kube-api-qps": _MANAGER_REQUESTS_PER_SECOND,
        "kube-api-burst": _MANAGER_REQUESTS_PER_SECOND,
    }


def _controller_files(folder: Path | str) -> dict[str, object]:
    return {
        "kubeconfig": f"{folder}/kube-controller-manager.kubeconfig",
        "service-account-private-key-file": f"{folder}/service-accounts.key",
        "root-ca-file": f"{folder}/ca.crt",
    }


def flags(options: Mapping[str, object]) -> list[str]:
    """Return options for a command line: --name=value."""
    return [f"--{name}={value}" for name, value in options.items()]
