"""Cluster: etcd, kube-apiserver and, if they are wanted, controllers, for as long as a `with` block.

Faults are injected by methods: the API server can be paused, killed, and started again with the same address and data.
"""

from __future__ import annotations

import secrets
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from devcluster.files import write_private
from devcluster.programs.building import CONTROL_PLANE, CONTROLLER_MANAGER, CONTROLLERS, GoProgram, built
from devcluster.programs.toolchain import kubectl
from devcluster.servers import arguments
from devcluster.servers.api import ApiClient
from devcluster.servers.arguments import Ports
from devcluster.servers.certificates import Authority, Pair, signing_key
from devcluster.servers.control_plane import ControlPlane, certificate_user
from devcluster.servers.ports import free_ports
from devcluster.waiting import wait_until

_READY_SECONDS = 120.0  # ready in 2 s; a loaded CI machine may need many times that
_NEW_ACCOUNT_SECONDS = 30.0  # the controller makes a namespace's default account in well under 1 s
_TOKEN_LIFETIME_SECONDS = 24 * 3600
_ADMIN = "devcluster-admin"


class Cluster(ControlPlane):
    """A running cluster without nodes. Start it by `with Cluster() as cluster:` or by `start` and `stop`.

    `controllers` are names of controllers that run beside the usual ones, in kube-controller-manager; without them, a
    small program runs the usual ones. Without `managed` no controllers run, and their program is not built: then
    deleted namespaces stay, owned objects outlive their owners, and new namespaces have no account. `fast` programs
    are those that a release has; they take minutes more to build.
    """

    name = "cluster"
    etcd: tuple[str, Pair]
    """Address of etcd, and the certificate and key of its client: for benchmarks, which write many objects fast."""
    api: ApiClient
    """Sends requests as an administrator."""
    _ports: Ports

    def __init__(
        self,
        *,
        apiserver_arguments: Sequence[str] = (),
        controllers: Sequence[str] = (),
        managed: bool = True,
        fast: bool = False,
    ) -> None:
        self._fast = fast
        self._apiserver_arguments = tuple(apiserver_arguments)
        self._managed = managed
        self._controllers = tuple(controllers)

    def program(self, program: GoProgram) -> Path:
        """Return the folder of a program, built as fast as the cluster's own."""
        return built(replace(program, fast=self._fast))

    def service_account_token(self, namespace: str, name: str) -> str:
        """Return a token of a service account, which may do what RBAC grants to the account."""
        account = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}"
        wait_until(
            lambda: self.api.is_there(account),
            f"service account {name} in namespace {namespace}",
            timeout_seconds=_NEW_ACCOUNT_SECONDS,
        )
        wanted = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"expirationSeconds": _TOKEN_LIFETIME_SECONDS},
        }
        return str(self.api.post(f"{account}/token", wanted)["status"]["token"])

    def service_account_kubeconfig(self, namespace: str, name: str) -> Path:
        """Return a kubeconfig with a token of a service account."""
        token = self.service_account_token(namespace, name)
        path = self.folder / f"{namespace}.{name}.kubeconfig"
        return self._write_kubeconfig(path, {"token": token}, namespace=namespace)

    def pause_apiserver(self) -> None:
        """Pause the API server until `heal`: connections stay open, and requests get no answer."""
        self.processes["kube-apiserver"].pause()

    def kill_apiserver(self) -> None:
        """Kill the API server: connections break, and new ones are refused."""
        self.processes["kube-apiserver"].kill()

    def start_apiserver(self) -> None:
        """Start a killed API server at the same address and with the same data, and wait until it is ready."""
        self.processes["kube-apiserver"].start()
        self._wait_ready()

    def heal(self) -> None:
        """Undo every fault that a failed test may have left."""
        process = self.processes["kube-apiserver"]
        if process.alive:
            process.resume()
            self._wait_ready()
        else:
            self.start_apiserver()

    def back_up(self) -> Path:
        """Copy etcd's data, as a backup of the machine's disk would, and return the folder of the copy."""
        backup = Path(tempfile.mkdtemp(prefix="backup-", dir=self.folder))
        etcd = self.processes["etcd"]
        etcd.pause()
        shutil.copytree(self._data, backup, dirs_exist_ok=True)
        etcd.resume()
        return backup

    def restore(self, backup: Path) -> None:
        """Start every server again on the data of a backup: resource versions fall, and newer objects are lost."""
        for process in reversed(self.processes.values()):
            process.kill()
        self.processes.clear()
        shutil.rmtree(self._data)
        shutil.copytree(backup, self._data)
        self._start_servers()

    def _start(self) -> None:
        self.kubectl_program = kubectl()
        self._ports = Ports(*free_ports(3))
        self.url = f"https://127.0.0.1:{self._ports.apiserver}"
        authority = Authority(self.folder)
        self.ca = authority.certificate
        pair = authority.issue("etcd", user="etcd", hosts=["127.0.0.1", "localhost"])
        self.etcd = f"https://127.0.0.1:{self._ports.etcd}", pair
        authority.issue("apiserver", user="kube-apiserver", hosts=arguments.HOSTS)
        signing_key(self.folder, "service-accounts")
        token = secrets.token_urlsafe(32)
        write_private(self.folder / "tokens.csv", f'{token},{_ADMIN},{_ADMIN},"system:masters"\n'.encode())
        self.api = ApiClient(self._ports.apiserver, self.ca, token)
        self.at_end(self.api.close)
        self.kubeconfig = self._write_kubeconfig(self.folder / "admin.kubeconfig", {"token": token})
        if self._managed:
            # RBAC knows this user, and grants what it needs to act as each controller's own account.
            manager = authority.issue("kube-controller-manager", user="system:kube-controller-manager")
            self._write_kubeconfig(self.folder / "kube-controller-manager.kubeconfig", certificate_user(manager))
        self._start_servers()

    def _start_servers(self) -> None:
        self._launch("etcd", [self.program(CONTROL_PLANE) / "etcd", *arguments.etcd(self.folder, self._ports)])
        command = arguments.apiserver(self.folder, self._ports, self._apiserver_arguments)
        self._launch("kube-apiserver", [self.program(CONTROL_PLANE) / "kube-apiserver", *command])
        if self._managed:
            # The controllers end if no API server answers, so they come after it.
            self._wait_for("/readyz")
            if self._controllers:
                program, command = CONTROLLER_MANAGER, arguments.controller_manager(self.folder, self._controllers)
            else:
                program, command = CONTROLLERS, arguments.controllers(self.folder)
            self._launch(program.name, [self.program(program) / program.name, *command])
        self._wait_ready()

    def _wait_ready(self) -> None:
        # The default namespace comes a moment after /readyz, its account a moment later.
        self._wait_for("/readyz")
        self._wait_for("/api/v1/namespaces/default")
        if self._managed:
            self._wait_for("/api/v1/namespaces/default/serviceaccounts/default")

    def _wait_for(self, path: str) -> None:
        def answers() -> bool:
            self.check()
            return self.api.is_there(path)

        wait_until(answers, f"the API server to answer {path}", timeout_seconds=_READY_SECONDS, seen=self.log_ends)

    @property
    def _data(self) -> Path:
        return self.folder / "etcd"
