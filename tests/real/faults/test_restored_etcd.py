"""etcd restored from a backup under a running operator: the brake holds deletions, and cancels work at once."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from devcluster import Cluster, Redis, wait_until
from devcluster.harness.jobs import Jobs
from devcluster.harness.replicas import Replica
from devcluster.harness.system import OPERATOR_ACCOUNT, OPERATOR_NAMESPACE, QUICK_SETTINGS, System

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]

_CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"
_VERSIONS = 300  # by which the backup is older, so that the test itself does not catch up
_BRAKE = {"ORPHANS_AT_ONCE": "2", "ORPHANS_SHARE": "0"}


@pytest.fixture
def system(control_plane_programs: None) -> Iterator[System]:
    """A system on a separate control plane, which loses all changes since the backup."""
    with Cluster() as cluster, Redis() as redis, System(cluster, redis, settings=QUICK_SETTINGS) as system:
        system.install()
        system.start_operator(**_BRAKE)
        system.start_worker(concurrency=4)
        yield system


def restart_ended_operator(system: System) -> None:
    """Start the operator again after it has ended, as a kubelet does."""
    process = system.processes["operator"]
    wait_until(lambda: not process.alive, "the operator to end", timeout_seconds=30, seen=process.log_end)
    assert "etcd was restored from a backup" in process.log.read_text()
    system.start_operator(**_BRAKE)


def brake(system: System, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the command `brake` as in the operator's pod."""
    account = system.cluster.service_account_kubeconfig(OPERATOR_NAMESPACE, OPERATOR_ACCOUNT)
    program = Path(sys.executable).with_name("reconstruction-operator")
    return subprocess.run(
        [program, "brake", *words],
        env=system.environment(KUBECONFIG=str(account)),
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.release
def test_results_younger_than_a_restored_backup_are_kept_until_released(system: System) -> None:
    cluster, jobs = system.cluster, Jobs(system, "default")
    running = jobs.create_in("Running", parameters={"stepSeconds": 120})
    backup = cluster.back_up()
    late = [jobs.create() for _ in range(3)]
    for name in late:
        jobs.wait_finished(name)
    folders = [jobs.folder(name) for name in late]
    for number in range(_VERSIONS):
        cluster.api.post(_CONFIG_MAPS, {"metadata": {"name": f"filler-{number}"}})

    cluster.restore(backup)
    restart_ended_operator(system)

    jobs.cancel(running)
    assert jobs.wait_finished(running, timeout_seconds=30)["status"]["phase"] == "Cancelled"
    Replica(system).wait_metric("reconstruction_held_orphan_records", 3)
    assert all((folder / "output" / "model.glb").is_file() for folder in folders)
    assert "no longer exist, more than the limit of 2" in system.processes["operator"].log.read_text()

    nothing = brake(system, "release", "kube-system")
    assert (nothing.returncode, nothing.stderr) == (1, "Nothing is held in namespace kube-system\n")
    assert nothing.stdout == brake(system, "list").stdout == "Held: default 3\n"
    released = brake(system, "release", "default")
    assert (released.returncode, released.stdout) == (0, "Released, to be cleaned up within a minute: default 3\n")
    wait_until(lambda: not any(folder.exists() for folder in folders), "the files to be deleted", seen=system.log_ends)
