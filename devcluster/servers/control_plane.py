"""Servers of a running control plane: their folder, ports, certificates and processes."""

from __future__ import annotations

import contextlib
import secrets
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from devcluster.files import write_private
from devcluster.programs.control_plane import Programs
from devcluster.servers import arguments
from devcluster.servers.api import ApiClient
from devcluster.servers.arguments import Credentials, Ports
from devcluster.servers.certificates import Authority, signing_key
from devcluster.servers.kubeconfigs import certificate_user, kubeconfig, token_user, write_kubeconfig
from devcluster.servers.ports import free_ports
from devcluster.servers.processes import Process
from devcluster.servers.runs import RunFolder
from devcluster.waiting import wait_until

READY_SECONDS = 120.0  # ready in 2 s; a loaded CI machine may need many times that

_ADMIN = "devcluster-admin"
_ADMIN_GROUP = "system:masters"


class ControlPlane:
    """All that exists only while a cluster runs."""

    def __init__(self, found: Programs, apiserver_arguments: Sequence[str], controllers: Sequence[str]) -> None:
        self.programs = found
        self._apiserver_arguments = apiserver_arguments
        self._controllers = controllers
        self.processes: dict[str, Process] = {}
        self.run = RunFolder.new("cluster")
        self.ports = Ports(*free_ports(3))
        self.url = f"https://127.0.0.1:{self.ports.apiserver}"
        token = secrets.token_urlsafe(32)
        authority = Authority.new(self.run.folder)
        self.credentials = _credentials(authority, self.run.folder, token)
        self.api = ApiClient(self.ports.apiserver, self.credentials.ca, token)
        self.kubeconfig = self._write_kubeconfig("admin", token_user(token))
        # RBAC knows this user, and what it needs to act as each controller's own account.
        manager = authority.issue("controller-manager", user="system:kube-controller-manager")
        self._manager_kubeconfig = self._write_kubeconfig("controller-manager", certificate_user(manager))
        try:
            self._start()
        except BaseException:  # also on an interrupt
            self.stop()
            raise

    @property
    def _data(self) -> Path:
        return self.run.folder / "etcd"

    def back_up(self) -> Path:
        """Copy etcd's data; returns the folder of the copy."""
        backup = Path(tempfile.mkdtemp(prefix="backup-", dir=self.run.folder))
        etcd = self.processes["etcd"]
        etcd.pause()
        shutil.copytree(self._data, backup, dirs_exist_ok=True)
        etcd.resume()
        return backup

    def restore(self, backup: Path) -> None:
        """Start every server again on the data of a backup."""
        for process in reversed(self.processes.values()):
            process.kill()
        shutil.rmtree(self._data)
        shutil.copytree(backup, self._data)
        self._start()

    def _start(self) -> None:
        self.processes.clear()
        self._run("etcd", arguments.etcd(self.programs.etcd, self._data, self.ports, self.credentials))
        self.start_apiserver()
        # The controllers give up where no API server answers for 10 s, so they come after it.
        self._wait_for("/readyz", READY_SECONDS)
        self._run(
            "kube-controller-manager",
            arguments.controller_manager(
                self.programs.controller_manager, self._manager_kubeconfig, self.credentials, self._controllers
            ),
        )
        self.wait_ready(READY_SECONDS)

    def start_apiserver(self) -> None:
        """Start the API server, without waiting for it."""
        self._run(
            "kube-apiserver",
            arguments.apiserver(self.programs.apiserver, self.ports, self.credentials, self._apiserver_arguments),
        )

    def wait_ready(self, timeout_seconds: float) -> None:
        """Wait until the API server is ready and the default namespace has its service account."""
        # The default namespace comes a moment after /readyz, its account a moment later.
        for path in ("/readyz", "/api/v1/namespaces/default", "/api/v1/namespaces/default/serviceaccounts/default"):
            self._wait_for(path, timeout_seconds)

    def stop(self) -> None:
        """Kill every server and remove every file."""
        # From the top down, so that none complains of the one below. Killed, since the data is thrown away. An error or
        # an interrupt in the middle does not keep the others alive.
        with contextlib.ExitStack() as last_first:
            last_first.callback(self.run.close)
            last_first.callback(self.api.close)
            for process in self.processes.values():
                last_first.callback(process.kill)

    def _answers(self, path: str) -> bool:
        for process in self.processes.values():
            process.check()
        return self.api.is_there(path)

    def _wait_for(self, path: str, timeout_seconds: float) -> None:
        wait_until(
            lambda: self._answers(path),
            f"the API server to answer {path}",
            timeout_seconds=timeout_seconds,
            seen=self._log_ends,
        )

    def _log_ends(self) -> str:
        return "\n".join(f"--- {name}:\n{process.log_end()}" for name, process in self.processes.items())

    def _run(self, name: str, command: Sequence[str]) -> None:
        self.processes[name] = Process(name, command, run=self.run)

    def _write_kubeconfig(self, name: str, user: dict[str, str]) -> Path:
        content = kubeconfig(url=self.url, ca=self.credentials.ca.read_bytes(), user=user)
        return write_kubeconfig(self.run.folder / f"{name}.kubeconfig", content)


def _credentials(authority: Authority, folder: Path, admin_token: str) -> Credentials:
    tokens = folder / "tokens.csv"
    write_private(tokens, f'{admin_token},{_ADMIN},{_ADMIN},"{_ADMIN_GROUP}"\n'.encode())
    private, public = signing_key(folder, "service-accounts")
    return Credentials(
        ca=authority.certificate,
        etcd=authority.issue("etcd", user="etcd", hosts=["127.0.0.1", "localhost"]),
        apiserver=authority.issue("apiserver", user="kube-apiserver", hosts=arguments.HOSTS),
        tokens=tokens,
        service_account_private=private,
        service_account_public=public,
    )
