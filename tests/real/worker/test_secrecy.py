"""Secrecy of a worker: programs of the same user, including models, read neither its environment nor its memory."""

import subprocess
import sys
from collections.abc import Iterator

import psutil
import pytest

from devcluster import Redis
from devcluster.harness.workers import Farm
from tests.support.paths import DATA
from tests.support.unprivileged import unprivileged

SPY = unprivileged(sys.executable, str(DATA / "models" / "spy.py"))


@pytest.fixture(scope="module")
def farm(server: Redis) -> Iterator[Farm]:
    with Farm(server) as running:
        running.start_worker(launcher=unprivileged())
        yield running


def pids_of(farm: Farm) -> list[str]:
    main = psutil.Process(farm.processes["worker"].pid)
    return [str(process.pid) for process in (main, *main.children(recursive=True))]


def spied(*pids: str) -> str:
    return subprocess.run([*SPY, *pids], capture_output=True, text=True, check=True).stdout


def test_no_process_of_a_worker_is_open_to_others_of_its_user(farm: Farm) -> None:
    pids = pids_of(farm)
    assert len(pids) == 5
    assert spied(*pids) == ""


def test_a_usual_process_is_open_to_others_of_its_user() -> None:
    with subprocess.Popen(unprivileged("/bin/sleep", "60"), stdout=subprocess.PIPE) as process:
        try:
            while psutil.Process(process.pid).name() != "sleep":
                pass
            assert spied(str(process.pid)).startswith(f"{process.pid}/environ {process.pid}/mem")
        finally:
            process.kill()


def test_a_model_reads_nothing_of_its_ancestors(farm: Farm, job_id: str) -> None:
    farm.photo(job_id)
    error = farm.wait_state(farm.send(job_id, "rough-spy"), "FAILURE")
    assert "read: []" in str(error)
