"""The operator's process: a clean stop on a signal, and an exit with a reason when it cannot continue."""

import os
import signal
from collections.abc import Iterator

import pytest

from devcluster import Cluster, ServerEndedError, wait_until
from devcluster.harness.jobs import Jobs
from devcluster.harness.replicas import Replica
from devcluster.harness.system import System
from devcluster.servers.processes import Process
from tests.support.systems import running_system

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]

CRD = "crd/reconstructionjobs.reconstruction.dev"


def _status(process: Process) -> int | None:
    """Wait for the process to end; return its exit status."""
    wait_until(lambda: not process.alive, f"{process.name} to end", timeout_seconds=90, seen=process.log_end)
    with pytest.raises(ServerEndedError) as ended:
        process.check()
    return ended.value.status


def _stopped(process: Process) -> int | None:
    """Send SIGTERM; return the exit status.

    `Process.stop` would kill it after a grace time, which a busy machine may need.
    """
    os.kill(process.pid, signal.SIGTERM)
    return _status(process)


def test_a_clean_stop_ends_by_itself(system: System, jobs: Jobs) -> None:
    process = system.start_operator()
    jobs.wait_phase(jobs.create(), "Pending")

    assert _stopped(process) == 0, process.log_end()

    log = process.log.read_text()
    assert log.rstrip().endswith("Stopped")
    assert "Traceback" not in log


def test_a_clean_stop_works_without_redis_and_the_api_server(system: System, jobs: Jobs, cluster: Cluster) -> None:
    process = system.start_operator()
    jobs.wait_phase(jobs.create(), "Pending")

    system.redis.kill()
    cluster.kill_apiserver()

    assert _stopped(process) == 0, process.log_end()
    assert process.log_end().endswith("Stopped")


@pytest.fixture(scope="module")
def bare() -> Iterator[Cluster]:
    """A cluster for this module alone, whose CRD may be deleted."""
    with Cluster() as running:
        yield running


@pytest.fixture
def bare_system(bare: Cluster) -> Iterator[System]:
    with running_system(bare, operator=False) as running:
        yield running


@pytest.mark.release  # the operator waits half a minute for it
def test_without_the_crd_the_error_names_what_to_install(bare_system: System, bare: Cluster) -> None:
    bare.kubectl("delete", CRD)

    process = bare_system.start_operator()

    assert _status(process) == 1
    assert "install the CRD first (kubectl apply -f manifests/crd)" in process.log_end()
    assert "Traceback" not in process.log_end()


def test_the_process_exits_when_the_crd_is_deleted(bare_system: System, bare: Cluster) -> None:
    process = bare_system.start_operator()
    Replica(bare_system).wait_ready()

    bare.kubectl("delete", CRD)

    assert _status(process) == 1
    assert "was the CRD deleted?" in process.log.read_text()


def test_a_probe_port_in_use_is_a_readable_error(system: System) -> None:
    system.start_operator("first")
    Replica(system, "first").wait_ready()

    second = system.start_operator("second", PROBE_PORT=str(system.probe_ports["first"]))

    assert _status(second) == 1
    assert "Address already in use" in second.log_end()
    assert "Traceback" not in second.log_end()
