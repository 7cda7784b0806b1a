"""Node with its control plane, for as long as a `with` block.

One process holds the namespaces. When it ends, the kernel ends every other process, mount and link in them. A guard ends it
when the launcher ends (`devcluster.servers.guard`). Cgroups and the run's folder remain: `stop` removes them, or else the next
node of the same number and the next run do.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from devcluster import commands
from devcluster.errors import CommandError, DevclusterError
from devcluster.node import arguments, cgroups, configuration, images, numbers
from devcluster.node.addresses import NODE_NAME, Addresses
from devcluster.node.packages import NODE_NEEDS, ensure
from devcluster.programs.building import NODE, built
from devcluster.programs.control_plane import programs
from devcluster.servers.certificates import Authority, signing_key
from devcluster.servers.kubeconfigs import certificate_user, kubeconfig, write_kubeconfig
from devcluster.servers.processes import Process
from devcluster.servers.running import Running
from devcluster.servers.runs import RunFolder
from devcluster.waiting import wait_until

_CONF = "/var/lib/kubernetes"  # inside; outside it lies below the run's folder
_READY_FILE = f"{_CONF}/all-answer"
_READY_SECONDS = 300.0  # ready in 5 s; a loaded machine may need many times that
_LINK_SECONDS = 30.0
_COMMAND_SECONDS = 300.0
_LOAD_SECONDS = 600.0  # 10 s for a GB
_LOG_LINES = 8  # of each server, in an error
_INSIDE = Path(__file__).with_name("inside.py")
# The kubeconfigs of the servers: file name -> user and group that RBAC knows.
_USERS = {
    "kube-controller-manager": ("system:kube-controller-manager", None),
    "kube-scheduler": ("system:kube-scheduler", None),
    "kube-proxy": ("system:kube-proxy", None),
    "kubelet": (f"system:node:{NODE_NAME}", "system:nodes"),
    "coredns": ("devcluster-coredns", "system:masters"),
    "admin": ("devcluster-admin", "system:masters"),
}


class Node(Running):
    """A running node. Start it by `with Node() as node:` or by `start` and `stop`."""

    def __init__(self) -> None:
        self._started: _Started | None = None

    @staticmethod
    def build() -> None:
        """Build the node's programs where that has not been done yet: minutes, once."""
        built(NODE)

    def start(self) -> None:
        """Install and build what is missing, start everything, and wait until the node is ready for pods.

        Raises:
            MissingToolError: this machine cannot run a node; the message names what it lacks.

        """
        if self._started is not None:
            raise DevclusterError("this node has been started already")
        ensure(NODE_NEEDS)
        cgroups.check()
        images.pause_image()
        found = programs()
        servers = {name: built(NODE) / name for name in NODE.links} | {
            "etcd": found.etcd,
            "kube-apiserver": found.apiserver,
            "kube-controller-manager": found.controller_manager,
        }
        self._started = _Started(servers, found.kubectl)

    def stop(self) -> None:
        """Kill everything, and remove every file and cgroup; nothing to do where nothing runs."""
        started, self._started = self._started, None
        if started is not None:
            started.stop()

    def check(self) -> None:
        """Raise where the first process has ended."""
        self._running.process.check()

    @property
    def addresses(self) -> Addresses:
        """The addresses of the node, and of the machine as pods see it."""
        return self._running.addresses

    @property
    def kubeconfig(self) -> Path:
        """Kubeconfig of an administrator."""
        return self._running.kubeconfig

    @property
    def kubectl_program(self) -> Path:
        """The kubectl that belongs to this control plane."""
        return self._running.kubectl_program

    @property
    def folder(self) -> Path:
        """Where its files lie until it is stopped; the servers' logs are in var/log."""
        return self._running.run.folder

    @property
    def pid(self) -> int:
        """A process in the node's mount and network namespaces."""
        return self._running.process.pid

    def kubectl(
        self,
        *args: str | Path,
        input: str | None = None,  # noqa: A002 -- as in subprocess.run
        check: bool = True,
        timeout_seconds: float = _COMMAND_SECONDS,
    ) -> subprocess.CompletedProcess[str]:
        """Run kubectl as an administrator. With `check`, a failure is a CommandError."""
        return self._running.kubectl(*args, stdin=input, check=check, timeout_seconds=timeout_seconds)

    def inside(self, *command: str | Path, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command in the node's mount and network namespaces: `ctr -n k8s.io tasks ls`, `nft list ruleset`."""
        return commands.run([*enter(self.pid), *command], check=check)

    def load(self, *tags: str) -> None:
        """Copy images from buildah's store to the node, where pods find them by the same names."""
        for tag in tags:
            load(self.pid, tag)

    @property
    def _running(self) -> _Started:
        if self._started is None:
            raise DevclusterError("this node is not running")
        return self._started


def enter(pid: int) -> list[str]:
    """Return the prefix of a command that runs inside."""
    return ["nsenter", f"--target={pid}", "--mount", "--net", "--"]


def load(pid: int, tag: str) -> None:
    """Copy one image to the node whose namespaces the process `pid` is in."""
    pushed = ["buildah", "push", "--quiet", tag, f"docker-archive:/dev/stdout:{tag}"]
    taken = [*enter(pid), "ctr", "--namespace", "k8s.io", "images", "import", "-"]
    with subprocess.Popen(pushed, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL) as source:
        done = subprocess.run(
            taken, stdin=source.stdout, capture_output=True, text=True, check=False, timeout=_LOAD_SECONDS
        )
    if source.returncode != 0 or done.returncode != 0:
        raise CommandError(taken, done.returncode or source.returncode, done.stdout, done.stderr)


class _Started:
    """All that exists only while a node runs."""

    def __init__(self, servers: dict[str, Path], kubectl: Path) -> None:
        self.kubectl_program = kubectl
        self._last = contextlib.ExitStack()
        self.addresses = Addresses(self._last.enter_context(numbers.hold()))
        self.run = RunFolder.new("node")
        self._last.callback(self.run.close)
        self._var = self.run.folder / "var"
        self._conf = self._outside(_CONF)
        try:
            self.kubeconfig = self._write(servers)
            self._start()
        except BaseException:  # also on an interrupt
            self.stop()
            raise

    def _start(self) -> None:
        cgroups.remove(self.addresses.name)  # of a node that was killed
        namespaces = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
        self._last.callback(cgroups.remove, self.addresses.name)
        self.process = Process(
            "node",
            [*namespaces, sys.executable, "-I", "-S", _INSIDE, self.run.folder / "plan.json"],
            run=self.run,
        )
        self._last.callback(self.process.kill)
        self._link(self.process.pid)
        self._wait(lambda: self._outside(_READY_FILE).exists(), "the node's servers to answer")
        self._wait(self._takes_pods, "the node to take pods")
        load(self.process.pid, images.PAUSE_IMAGE)

    def stop(self) -> None:
        self._last.close()

    def kubectl(
        self, *args: str | Path, stdin: str | None = None, check: bool = True, timeout_seconds: float = _COMMAND_SECONDS
    ) -> subprocess.CompletedProcess[str]:
        return commands.run(
            [self.kubectl_program, *args],
            stdin=stdin,
            check=check,
            timeout_seconds=timeout_seconds,
            environment={"KUBECONFIG": str(self.kubeconfig), "KUBECACHEDIR": str(self.run.folder / "kubectl-cache")},
        )

    def _outside(self, path: str) -> Path:
        return self._var / path.removeprefix("/var/")

    def _write(self, servers: dict[str, Path]) -> Path:
        """Write all that the servers read; return the administrator's kubeconfig."""
        for name in ("log", "tmp", "lib/kubelet", "lib/cni", "lib/containerd", "lib/kubernetes/cni"):
            (self._var / name).mkdir(parents=True)
        (self._var / "run").symlink_to("/run")
        (self._var / "tmp").chmod(0o1777)
        authority = Authority.new(self._conf)
        authority.issue("apiserver", user="kube-apiserver", hosts=self.addresses.api_hosts)
        authority.issue("kubelet-client", user="devcluster-kubelet-client", group="system:masters")
        signing_key(self._conf, "service-accounts")
        ca = authority.certificate.read_bytes()
        for name, (user, group) in _USERS.items():
            pair = authority.issue(name, user=user, group=group)
            content = kubeconfig(url=self.addresses.url, ca=ca, user=certificate_user(pair))
            write_kubeconfig(self._conf / f"{name}.kubeconfig", content)
        for name, text in {
            "kubelet.json": json.dumps(configuration.kubelet(self.addresses, _CONF)),
            "kube-proxy.json": json.dumps(configuration.kube_proxy(_CONF)),
            "cni/bridge.conflist": json.dumps(configuration.cni()),
            "containerd.toml": configuration.containerd(_CONF),
            "Corefile": configuration.corefile(_CONF),
        }.items():
            (self._conf / name).write_text(text)
        plan: dict[str, Any] = {
            "name": self.addresses.name,
            "node": self.addresses.node,
            "machine": self.addresses.machine,
            "controllers": cgroups.CONTROLLERS,
            "var": str(self._var),
            "programs": {name: str(program) for name, program in servers.items()},
            "first": arguments.first(self.addresses, _CONF),
            "second": arguments.second(self.addresses, _CONF),
            "api": self.addresses.url,
            "ca": f"{_CONF}/ca.crt",
            "ready": configuration.READY_PORTS,
            "ready_file": _READY_FILE,
        }
        (self.run.folder / "plan.json").write_text(json.dumps(plan))
        return self._conf / "admin.kubeconfig"

    def _link(self, pid: int) -> None:
        """Connect the machine and the node by a pair of links."""
        machines = Path("/proc/self/ns/net").readlink()
        self._wait(lambda: Path(f"/proc/{pid}/ns/net").readlink() != machines, "a network namespace", _LINK_SECONDS)
        name = self.addresses.name
        commands.run(["ip", "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", str(pid)])
        commands.run(["ip", "address", "add", f"{self.addresses.machine}/24", "dev", name])
        commands.run(["ip", "link", "set", name, "up"])

    def _takes_pods(self) -> bool:
        wanted = ["serviceaccount/default", f"node/{NODE_NAME}"]
        if self.kubectl("get", *wanted, check=False, timeout_seconds=60).returncode != 0:
            return False
        ready = ("wait", "--for=condition=Ready", wanted[1], "--timeout=5s")
        return self.kubectl(*ready, check=False, timeout_seconds=60).returncode == 0

    def _wait(self, condition: Any, what: str, timeout_seconds: float = _READY_SECONDS) -> None:
        def holds() -> bool:
            self.process.check()
            return bool(condition())

        wait_until(holds, what, timeout_seconds=timeout_seconds, seen=self._log_ends)

    def _log_ends(self) -> str:
        logs = sorted((self._var / "log").glob("*.log"))
        ends = {log.name: "\n".join(log.read_text(errors="replace").splitlines()[-_LOG_LINES:]) for log in logs}
        ends["node"] = self.process.log_end()
        return "\n".join(f"--- {name}:\n{end}" for name, end in ends.items())
