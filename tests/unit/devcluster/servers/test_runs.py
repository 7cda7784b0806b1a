"""Runs: what a killed launcher left is cleaned up, and nothing else."""

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from devcluster.errors import DevclusterError
from devcluster.files import runs_folder
from devcluster.servers.pids import start_mark
from devcluster.servers.runs import RunFolder, sweep


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


@pytest.fixture
def bystander() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "600"]) as process:
        yield process
        process.kill()


def left_over(processes: dict[str, str]) -> Path:
    folder = runs_folder() / "cluster-dead"
    folder.mkdir()
    (folder / "processes.json").write_text(json.dumps(processes))
    return folder


def test_sweep_keeps_a_locked_run() -> None:
    run = RunFolder.new("cluster")
    assert sweep() == []
    assert run.folder.exists()
    run.close()


def test_a_closed_run_leaves_no_folder() -> None:
    run = RunFolder.new("cluster")
    (run.folder / "log").touch()
    run.close()
    assert not run.folder.exists()


def test_the_processes_of_a_dead_launcher_are_killed(bystander: subprocess.Popen[bytes]) -> None:
    mark = start_mark(bystander.pid)
    assert mark is not None
    folder = left_over({str(bystander.pid): mark})
    assert sweep() == [folder]
    assert bystander.wait(timeout=30) == -9
    assert not folder.exists()


def test_process_that_reused_the_pid_is_not_killed(bystander: subprocess.Popen[bytes]) -> None:
    left_over({str(bystander.pid): "1"})
    sweep()
    assert bystander.poll() is None


def test_a_new_run_cleans_up_first() -> None:
    folder = left_over({})
    run = RunFolder.new("redis")
    assert not folder.exists()
    run.close()


def test_only_live_processes_are_listed() -> None:
    run = RunFolder.new("cluster")
    run.remember(os.getpid(), 2**22 + 1)  # beyond the largest pid
    assert json.loads((run.folder / "processes.json").read_text()) == {str(os.getpid()): start_mark(os.getpid())}
    run.close()


def test_folder_that_others_can_enter_is_rejected(tmp_path: Path) -> None:
    runs_folder().chmod(0o755)
    with pytest.raises(DevclusterError, match="not a private folder"):
        runs_folder()
