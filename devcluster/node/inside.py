"""First process of a node's namespaces: prepares them, starts the servers, and restarts a server that ends.

Run as a program, by path and with the standard library alone: `unshare … python -I -S inside.py PLAN.json`. When it
ends, the kernel ends every process, mount and link of the namespaces with it.

Inside, /var is a folder of the run and /run is a new tmpfs: all servers keep their usual paths, no path of a socket is
too long, and the machine's own folders are not written to.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

_CGROUPS = Path("/sys/fs/cgroup")
_LINK = "eth0"
_PAUSE_SECONDS = 0.1  # between two checks
_AGAIN_SECONDS = 1.0  # after a server's end, before it starts again
_ASK_SECONDS = 2.0
# The kubelet would set these for the whole machine, so it gets copies.
_KUBELET_SYSCTLS = ("vm/overcommit_memory", "kernel/panic", "kernel/panic_on_oops")


def _run(*command: str | Path) -> None:
    subprocess.run([str(part) for part in command], check=True, stdin=subprocess.DEVNULL)


def _mounts(plan: dict[str, Any]) -> None:
    _run("mount", "--bind", plan["var"], "/var")
    _run("mount", "-t", "tmpfs", "tmpfs", "/run")
    if os.path.ismount(_CGROUPS / "unified"):  # runc supports only the controllers of version 1
        _run("umount", _CGROUPS / "unified")
    for controller in plan["controllers"]:
        (_CGROUPS / controller / plan["name"]).mkdir(exist_ok=True)
    for file in ("cpuset.cpus", "cpuset.mems"):  # a new one is empty, and accepts no process
        (_CGROUPS / "cpuset" / plan["name"] / file).write_text((_CGROUPS / "cpuset" / file).read_text())
    for name in _KUBELET_SYSCTLS:
        copy = Path("/run") / name.replace("/", "-")
        copy.write_text(Path("/proc/sys", name).read_text())
        _run("mount", "--bind", copy, Path("/proc/sys", name))


def _network(plan: dict[str, Any]) -> None:
    _run("ip", "link", "set", "lo", "up")
    # Not /sys/class/net, which is still the machine's. The launcher moves the link here.
    while not Path("/proc/sys/net/ipv4/conf", _LINK).exists():
        time.sleep(_PAUSE_SECONDS)
    _run("ip", "address", "add", f"{plan['node']}/24", "dev", _LINK)
    _run("ip", "link", "set", _LINK, "up")
    _run("ip", "route", "add", "default", "via", plan["machine"])
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
    bridge = Path("/proc/sys/net/bridge/bridge-nf-call-iptables")
    if bridge.exists():  # absent if the kernel has no such filter
        bridge.write_text("1")


class _Servers:
    """The servers. `tend` reaps a server that ended, and starts it again."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._commands: dict[str, list[str]] = {}
        self._running: dict[int, str] = {}
        self._again: dict[str, float] = {}

    def start(self, commands: dict[str, list[str]]) -> None:
        self._commands |= commands
        for name in commands:
            self._spawn(name)

    def tend(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if pid == 0:
                break
            name = self._running.pop(pid, None)
            if name is not None:  # None: an orphan, which the first process inherits
                print(f"{name} ended: {os.waitstatus_to_exitcode(status)}", flush=True)
                self._again[name] = time.monotonic() + _AGAIN_SECONDS
        for name in [name for name, due in self._again.items() if due <= time.monotonic()]:
            del self._again[name]
            self._spawn(name)

    def _spawn(self, name: str) -> None:
        pid = os.fork()
        if pid:
            self._running[pid] = name
            return
        try:
            log = os.open(f"/var/log/{name}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            os.dup2(log, 1)
            os.dup2(log, 2)
            path = os.environ["PATH"]
            environment = os.environ | {"PATH": f"{self._folder}:{path}"}
            os.execvpe(name, [name, *self._commands[name]], environment)  # noqa: S606 -- no shell is wanted
        except OSError as error:
            os.write(2, f"{name}: {error}\n".encode())
        os._exit(127)


def _answers(url: str, context: Any = None) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=_ASK_SECONDS, context=context):  # noqa: S310 -- the loopback address
            return True
    except (urllib.error.URLError, OSError):
        return False


def _wait(servers: _Servers, url: str, context: Any = None) -> None:
    while not _answers(url, context):
        servers.tend()
        time.sleep(_PAUSE_SECONDS)


def main(plan_file: str) -> None:
    """Prepare the namespaces, and keep the servers running for ever."""
    import ssl  # noqa: PLC0415 -- only here

    plan: dict[str, Any] = json.loads(Path(plan_file).read_text())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _mounts(plan)
    _network(plan)
    links = Path("/run/bin")
    links.mkdir()
    for name, program in plan["programs"].items():
        (links / name).symlink_to(program)
    servers = _Servers(str(links))
    servers.start(plan["first"])
    _wait(servers, plan["api"] + "/readyz", ssl.create_default_context(cafile=plan["ca"]))
    servers.start(plan["second"])
    for port, path in plan["ready"].items():
        _wait(servers, f"http://127.0.0.1:{port}/{path}")
    Path(plan["ready_file"]).touch()
    while True:
        servers.tend()
        time.sleep(_PAUSE_SECONDS)


if __name__ == "__main__":
    main(sys.argv[1])
