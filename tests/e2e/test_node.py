"""Node: what a killed launcher leaves, and how it is removed."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from devcluster import commands, wait_until
from devcluster.node import Node, cgroups
from tests.support.paths import CHECKOUT

pytestmark = pytest.mark.timeout(900)


def devcluster(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run `python -m devcluster` with a separate folder for runs, so that it does not find a node of the user."""
    command = [sys.executable, "-m", "devcluster", *arguments]
    return commands.run(command, check=False, environment={"TMPDIR": str(folder)}, folder=CHECKOUT, timeout_seconds=600)


def processes(network: Path) -> list[str]:
    """Return the names of this machine's processes in a network namespace."""
    pids = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended, or belongs to another user
            if (process / "ns/net").readlink() == network:
                pids.append((process / "comm").read_text().strip())
    return pids


def test_a_killed_launcher_ends_its_node_and_stop_removes_the_rest(tmp_path: Path) -> None:
    started = devcluster("node", "start", "--detach", folder=tmp_path)
    assert started.returncode == 0, started.stderr
    (state,) = tmp_path.glob("*/standing-node.json")
    standing = json.loads(state.read_text())
    folder = Path(standing["exports"]["KUBECONFIG"]).parents[3]  # below it: var/lib/kubernetes/admin.kubeconfig
    plan = json.loads((folder / "plan.json").read_text())
    link = Path("/sys/class/net", plan["name"])
    network = Path(f"/proc/{standing['inside_pid']}/ns/net").readlink()
    assert {"etcd", "kube-apiserver", "kubelet", "containerd"} <= set(processes(network))
    assert (link.exists(), cgroups.exist(plan["name"])) == (True, True)

    os.kill(standing["pid"], signal.SIGKILL)
    wait_until(
        lambda: not processes(network),
        "the end of every process of the node",
        timeout_seconds=120,
        seen=lambda: ", ".join(processes(network)),
    )
    wait_until(lambda: not link.exists(), "the end of its link", timeout_seconds=60)

    stopped = devcluster("node", "stop", folder=tmp_path)
    assert stopped.returncode == 0, stopped.stderr
    assert f"removed the cgroups {plan['name']}, left by a launcher that was killed" in stopped.stderr
    assert not cgroups.exist(plan["name"])
    assert not folder.exists()
    assert devcluster("node", "stop", folder=tmp_path).stderr == "nothing was running\n"


def test_a_stopped_node_leaves_nothing() -> None:
    with Node() as node:
        name, folder = node.addresses.name, node.folder
        assert cgroups.exist(name)
    assert (cgroups.exist(name), folder.exists()) == (False, False)
    # The kernel removes a network namespace some time after the end of its last process.
    wait_until(lambda: not Path("/sys/class/net", name).exists(), "the end of its link", timeout_seconds=60)
