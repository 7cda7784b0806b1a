"""Control plane: etcd, kube-apiserver and kube-controller-manager, for as long as a `with` block.

Faults are injected by methods: the API server can be paused, killed and started again with the same address and data.
"""

from __future__ import annotations

import contextlib
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from devcluster import commands
from devcluster.errors import DevclusterError
from devcluster.files import write_private
from devcluster.programs.control_plane import Programs, programs
from devcluster.servers import arguments
from devcluster.servers.api import ApiClient
from devcluster.servers.arguments import Credentials, Ports
from devcluster.servers.certificates import Authority, Pair, signing_key
from devcluster.servers.kubeconfigs import certificate_user, kubeconfig, token_user, write_kubeconfig
from devcluster.servers.ports import free_ports
from devcluster.servers.processes import Process
from devcluster.servers.running import Running, retried_on_taken_port
from devcluster.servers.runs import RunFolder
from devcluster.waiting import wait_until

_READY_SECONDS = 120.0  # ready in 2 s; a loaded CI machine may need many times that
_NEW_ACCOUNT_SECONDS = 30.0  # the controller makes a namespace's default account, in well under 1 s
_KUBECTL_SECONDS = 120.0
_TOKEN_LIFETIME_SECONDS = 24 * 3600
_ADMIN = "devcluster-admin"
_ADMIN_GROUP = "system:masters"


class Cluster(Running):
    """A running control plane. Start it by `with Cluster() as cluster:` or by `start` and `stop`.

    `controllers` are names of controllers that it runs beside the usual ones.
    """

    def __init__(self, *, apiserver_arguments: Sequence[str] = (), controllers: Sequence[str] = ()) -> None:
        self._apiserver_arguments = tuple(apiserver_arguments)
        self._controllers = tuple(controllers)
        self._started: _Started | None = None

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
        self._started = retried_on_taken_port(lambda: _Started(found, self._apiserver_arguments, self._controllers))

    def stop(self) -> None:
        """Kill every server and remove every file; nothing to do where nothing runs."""
        started, self._started = self._started, None
        if started is not None:
            started.stop()

    def check(self) -> None:
        """Raise where a server has ended by itself."""
        for process in self._running.processes.values():
            process.check()

    def wait_ready(self, *, timeout_seconds: float = _READY_SECONDS) -> None:
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
    def _running(self) -> _Started:
        if self._started is None:
            raise DevclusterError("this cluster is not running")
        return self._started


class _Started:
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
        backup = Path(tempfile.mkdtemp(prefix="backup-", dir=self.run.folder))
        etcd = self.processes["etcd"]
        etcd.pause()
        shutil.copytree(self._data, backup, dirs_exist_ok=True)
        etcd.resume()
        return backup

    def restore(self, backup: Path) -> None:
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
        self._wait_for("/readyz", _READY_SECONDS)
        self._run(
            "kube-controller-manager",
            arguments.controller_manager(
                self.programs.controller_manager, self._manager_kubeconfig, self.credentials, self._controllers
            ),
        )
        self.wait_ready(_READY_SECONDS)

    def start_apiserver(self) -> None:
        self._run(
            "kube-apiserver",
            arguments.apiserver(self.programs.apiserver, self.ports, self.credentials, self._apiserver_arguments),
        )

    def wait_ready(self, timeout_seconds: float) -> None:
        # The default namespace comes a moment after /readyz, its account a moment later.
        for path in ("/readyz", "/api/v1/namespaces/default", "/api/v1/namespaces/default/serviceaccounts/default"):
            self._wait_for(path, timeout_seconds)

    def stop(self) -> None:
        # From the top down, so that none complains of the one below. Killed, since the data is thrown away. An error or
        # an interrupt in the middle does not keep the others alive.
        with contextlib.ExitStack() as last_first:
            last_first.callback(self.run.close)
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
