"""Node with its control plane, for as long as a `with` block.

One process holds the namespaces. When it ends, the kernel ends every other process, mount and link in them. A guard
ends it when the launcher ends (`devcluster.servers.guard`). Cgroups and the run's folder remain: `stop` removes them,
or else the next node of the same number and the next run remove them.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from devcluster import commands
from devcluster.errors import CommandError
from devcluster.node import addresses, cgroups, configuration, images
from devcluster.node.addresses import NODE_NAME, Addresses
from devcluster.node.packages import NODE_NEEDS, ensure
from devcluster.programs.building import CONTROL_PLANE, CONTROLLER_MANAGER, NODE, built
from devcluster.programs.toolchain import kubectl
from devcluster.servers.certificates import Authority, signing_key
from devcluster.servers.control_plane import ControlPlane, certificate_user
from devcluster.waiting import wait_until

_CONF = "/var/lib/kubernetes"  # inside; outside it lies below the run's folder
_READY_FILE = f"{_CONF}/all-answer"
_READY_SECONDS = 300.0  # ready in 5 s; a loaded machine may need many times that
_LINK_SECONDS = 30.0
_LOAD_SECONDS = 600.0  # 10 s for a GB
_LOG_LINES = 8  # of each server, in an error
_INSIDE = Path(__file__).with_name("inside.py")
# The kubeconfigs of the servers: file name -> user and group in RBAC.
_USERS = {
    "kube-controller-manager": ("system:kube-controller-manager", None),
    "kube-scheduler": ("system:kube-scheduler", None),
    "kube-proxy": ("system:kube-proxy", None),
    "kubelet": (f"system:node:{NODE_NAME}", "system:nodes"),
    "coredns": ("devcluster-coredns", "system:masters"),
    "admin": ("devcluster-admin", "system:masters"),
}


class Node(ControlPlane):
    """A running node. Start it by `with Node() as node:` or by `start` and `stop`.

    The servers' logs are in `folder`/var/log.
    """

    name = "node"
    addresses: Addresses
    """The addresses of the node, and of the machine as pods see it."""

    @property
    def pid(self) -> int:
        """A process in the node's mount and network namespaces."""
        return self.processes["node"].pid

    def load(self, *tags: str) -> None:
        """Copy images from buildah's store to the node, where pods find them by the same names."""
        for tag in tags:
            load(self.pid, tag)

    def log_ends(self) -> str:
        """Return the end of each server's log, and of the first process's."""
        logs = sorted((self._var / "log").glob("*.log"))
        ends = [
            f"--- {log.name}:\n" + "\n".join(log.read_text(errors="replace").splitlines()[-_LOG_LINES:]) for log in logs
        ]
        return "\n".join([*ends, super().log_ends()])

    def _start(self) -> None:
        ensure(NODE_NEEDS)
        cgroups.check()
        images.pause_image()
        number = contextlib.ExitStack()
        self.addresses = Addresses(number.enter_context(addresses.hold()))
        self.at_end(number.close)
        self.kubectl_program = kubectl()
        self.url = self.addresses.url
        self._write()
        self._run_servers()

    def _run_servers(self) -> None:
        cgroups.remove(self.addresses.name)  # of a node that was killed
        self.at_end(lambda: cgroups.remove(self.addresses.name))
        namespaces = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
        self._launch("node", [*namespaces, sys.executable, "-I", "-S", _INSIDE, self.folder / "plan.json"])
        self._link()
        self._wait(lambda: self._outside(_READY_FILE).exists(), "the node's servers to answer")
        self._wait(self._accepts_pods, "the node to accept pods")
        self.load(images.PAUSE_IMAGE)

    @property
    def _var(self) -> Path:
        return self.folder / "var"

    def _outside(self, path: str) -> Path:
        return self._var / path.removeprefix("/var/")

    def _write(self) -> None:
        """Write all that the servers and the administrator read."""
        for name in ("log", "tmp", "lib/kubelet", "lib/cni", "lib/containerd", "lib/kubernetes/cni"):
            (self._var / name).mkdir(parents=True)
        (self._var / "run").symlink_to("/run")
        (self._var / "tmp").chmod(0o1777)
        conf = self._outside(_CONF)
        authority = Authority(conf)
        self.ca = authority.certificate
        authority.issue("apiserver", user="kube-apiserver", hosts=self.addresses.api_hosts)
        authority.issue("kubelet-client", user="devcluster-kubelet-client", group="system:masters")
        signing_key(conf, "service-accounts")
        for name, (user, group) in _USERS.items():
            pair = authority.issue(name, user=user, group=group)
            self._write_kubeconfig(conf / f"{name}.kubeconfig", certificate_user(pair))
        self.kubeconfig = conf / "admin.kubeconfig"
        for name, text in {
            "kubelet.json": json.dumps(configuration.kubelet(self.addresses, _CONF)),
            "kube-proxy.json": json.dumps(configuration.kube_proxy(_CONF)),
            "cni/bridge.conflist": json.dumps(configuration.cni()),
            "containerd.toml": configuration.containerd(_CONF),
            "Corefile": configuration.corefile(_CONF),
        }.items():
            (conf / name).write_text(text)
        servers = {name: built(NODE) / name for name in NODE.links}
        servers |= {name: built() / name for name in CONTROL_PLANE.links}
        servers[CONTROLLER_MANAGER.name] = built(CONTROLLER_MANAGER) / CONTROLLER_MANAGER.name
        plan: dict[str, Any] = {
            "name": self.addresses.name,
            "node": self.addresses.node,
            "machine": self.addresses.machine,
            "controllers": cgroups.CONTROLLERS,
            "var": str(self._var),
            "programs": {name: str(program) for name, program in servers.items()},
            "first": configuration.first(self.addresses, _CONF),
            "second": configuration.second(self.addresses, _CONF),
            "api": self.addresses.url,
            "ca": f"{_CONF}/ca.crt",
            "ready": configuration.READY_PORTS,
            "ready_file": _READY_FILE,
        }
        (self.folder / "plan.json").write_text(json.dumps(plan))

    def _link(self) -> None:
        """Connect the machine and the node by a pair of links."""
        machines = Path("/proc/self/ns/net").readlink()
        nodes = Path(f"/proc/{self.pid}/ns/net")
        self._wait(lambda: nodes.readlink() != machines, "a network namespace", _LINK_SECONDS)
        name = self.addresses.name
        commands.run(["ip", "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", str(self.pid)])
        commands.run(["ip", "address", "add", f"{self.addresses.machine}/24", "dev", name])
        commands.run(["ip", "link", "set", name, "up"])

    def _accepts_pods(self) -> bool:
        wanted = ["serviceaccount/default", f"node/{NODE_NAME}"]
        if self.kubectl("get", *wanted, check=False, timeout_seconds=60).returncode != 0:
            return False
        ready = ("wait", "--for=condition=Ready", wanted[1], "--timeout=5s")
        return self.kubectl(*ready, check=False, timeout_seconds=60).returncode == 0

    def _wait(self, condition: Callable[[], bool], what: str, timeout_seconds: float = _READY_SECONDS) -> None:
        def holds() -> bool:
            self.check()
            return condition()

        wait_until(holds, what, timeout_seconds=timeout_seconds, seen=self.log_ends)


def load(pid: int, tag: str) -> None:
    """Copy one image to the node whose namespaces the process `pid` is in."""
    pushed = ["buildah", "push", "--quiet", tag, f"docker-archive:/dev/stdout:{tag}"]
    inside = ["nsenter", f"--target={pid}", "--mount", "--net", "--"]
    taken = [*inside, "ctr", "--namespace", "k8s.io", "images", "import", "-"]
    with subprocess.Popen(pushed, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL) as source:
        done = subprocess.run(
            taken, stdin=source.stdout, capture_output=True, text=True, check=False, timeout=_LOAD_SECONDS
        )
    if source.returncode != 0 or done.returncode != 0:
        raise CommandError(taken, done.returncode or source.returncode, done.stdout, done.stderr)
