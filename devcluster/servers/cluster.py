"""Control plane: etcd, kube-apiserver and kube-controller-manager, for as long as a `with` block.

Faults are injected by methods: the API server can be paused, killed and started again with the same address and data.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from devcluster import commands
from devcluster.errors import DevclusterError
from devcluster.programs.control_plane import programs
from devcluster.servers.api import ApiClient
from devcluster.servers.certificates import Pair
from devcluster.servers.control_plane import READY_SECONDS, ControlPlane
from devcluster.servers.kubeconfigs import kubeconfig, token_user, write_kubeconfig
from devcluster.servers.running import Running, retried_on_taken_port
from devcluster.waiting import wait_until

_NEW_ACCOUNT_SECONDS = 30.0  # the controller makes a namespace's default account, in well under 1 s
_KUBECTL_SECONDS = 120.0
_TOKEN_LIFETIME_SECONDS = 24 * 3600


class Cluster(Running):
    """A running control plane. Start it by `with Cluster() as cluster:` or by `start` and `stop`.

    `controllers` are names of controllers that it runs beside the usual ones.
    """

    def __init__(self, *, apiserver_arguments: Sequence[str] = (), controllers: Sequence[str] = ()) -> None:
        self._apiserver_arguments = tuple(apiserver_arguments)
        self._controllers = tuple(controllers)
        self._started: ControlPlane | None = None

    # -- what it is

    @property
    def url(self) -> str:
        """Address of the API server."""
        return self._running.url

    @property
    def ca(self) -> Path:
        """Certificate of the authority that signed the API server's certificate."""
        return self._running.credentials.ca

    @property
    def etcd(self) -> tuple[str, Pair]:
        """Address of etcd, and the certificate and key of its client: for benchmarks, which write many objects fast."""
        return f"https://127.0.0.1:{self._running.ports.etcd}", self._running.credentials.etcd

    @property
    def kubeconfig(self) -> Path:
        """Kubeconfig of an administrator."""
        return self._running.kubeconfig

    @property
    def kubectl_program(self) -> Path:
        """The kubectl that belongs to this cluster."""
        return self._running.programs.kubectl

    @property
    def folder(self) -> Path:
        """Where its files and logs lie until it is stopped."""
        return self._running.run.folder

    @property
    def api(self) -> ApiClient:
        """Requests as an administrator."""
        return self._running.api

    @property
    def pids(self) -> dict[str, tuple[int, int]]:
        """For each server its guard's pid and its own."""
        return {name: process.pids for name, process in self._running.processes.items()}

    def kubectl(
        self,
        *args: str | Path,
        input: str | None = None,  # noqa: A002 -- as in subprocess.run
        check: bool = True,
        kubeconfig: Path | None = None,
        timeout_seconds: float = _KUBECTL_SECONDS,
    ) -> subprocess.CompletedProcess[str]:
        """Run kubectl as an administrator, or as the user of `kubeconfig`. With `check`, a failure is a CommandError."""
        environment = {
            "KUBECONFIG": str(kubeconfig or self.kubeconfig),
            # The one in the home is by address: an earlier cluster on the same port had other resources.
            "KUBECACHEDIR": str(self.folder / "kubectl-cache"),
        }
        return commands.run(
            [self.kubectl_program, *args],
            stdin=input,
            check=check,
            environment=environment,
            timeout_seconds=timeout_seconds,
        )

    def service_account_token(
        self, namespace: str, name: str, *, lifetime_seconds: int = _TOKEN_LIFETIME_SECONDS
    ) -> str:
        """Return a token of a service account: it may do what RBAC grants to that, and no more."""
        account = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}"
        wait_until(
            lambda: self.api.is_there(account),
            f"service account {name} in namespace {namespace}",
            timeout_seconds=_NEW_ACCOUNT_SECONDS,
        )
        wanted = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"expirationSeconds": lifetime_seconds},
        }
        return str(self.api.post(f"{account}/token", wanted)["status"]["token"])

    def service_account_kubeconfig(
        self, namespace: str, name: str, *, lifetime_seconds: int = _TOKEN_LIFETIME_SECONDS
    ) -> Path:
        """Return a kubeconfig with a token of a service account."""
        token = self.service_account_token(namespace, name, lifetime_seconds=lifetime_seconds)
        content = kubeconfig(url=self.url, ca=self.ca.read_bytes(), user=token_user(token), namespace=namespace)
        return write_kubeconfig(self.folder / f"{namespace}.{name}.kubeconfig", content)

    # -- its life

    def start(self) -> None:
        """Start everything, and wait until it is ready."""
        if self._started is not None:
            raise DevclusterError("this cluster has been started already")
        found = programs()
        self._started = retried_on_taken_port(lambda: ControlPlane(found, self._apiserver_arguments, self._controllers))

    def stop(self) -> None:
        """Kill every server and remove every file; nothing to do where nothing runs."""
        started, self._started = self._started, None
        if started is not None:
            started.stop()

    def check(self) -> None:
        """Raise where a server has ended by itself."""
        for process in self._running.processes.values():
            process.check()

    def wait_ready(self, *, timeout_seconds: float = READY_SECONDS) -> None:
        """Wait until the API server is ready and the default namespace has its service account."""
        self._running.wait_ready(timeout_seconds)

    # -- faults

    def pause_apiserver(self) -> None:
        """Pause the API server: connections stay open, and nothing answers."""
        self._running.processes["kube-apiserver"].pause()

    def resume_apiserver(self) -> None:
        """Continue a paused API server."""
        self._running.processes["kube-apiserver"].resume()

    def kill_apiserver(self) -> None:
        """Kill the API server: connections break, and new ones are refused."""
        self._running.processes["kube-apiserver"].kill()

    def start_apiserver(self) -> None:
        """Start a killed API server at the same address and with the same data, and wait until it is ready."""
        self._running.start_apiserver()
        self.wait_ready()

    def back_up(self) -> Path:
        """Copy etcd's data, as a backup of the machine's disk would."""
        return self._running.back_up()

    def restore(self, backup: Path) -> None:
        """Start every server again on the data of a backup: resource versions fall, and newer objects are gone."""
        self._running.restore(backup)

    def heal(self) -> None:
        """Undo every fault that a failed test may have left."""
        process = self._running.processes["kube-apiserver"]
        if process.alive:
            process.resume()
            self.wait_ready()
        else:
            self.start_apiserver()

    @property
    def _running(self) -> ControlPlane:
        if self._started is None:
            raise DevclusterError("this cluster is not running")
        return self._started
