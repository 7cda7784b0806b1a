"""Disk: the servers' files are in memory if a run may mount."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from chaos.system.disk import can_mount
from devcluster.programs import building
from devcluster.programs.building import GoProgram
from devcluster.programs.cache import Spinner
from tests.support.paths import CHECKOUT


def program(path: Path, command: str) -> None:
    path.write_text(f"#!/bin/sh\nexec {command}\n")
    path.chmod(0o755)


def build(_program: GoProgram, _flags: list[str], folder: Path, _progress: Spinner) -> None:
    """Write scripts in place of the control plane."""
    program(folder / "etcd", "stat --file-system --format='folder: %T' .")
    for name in ("kube-apiserver", "kube-controller-manager", "kubectl"):
        program(folder / name, "sleep 60")


def test_a_run_starts_etcd_in_a_folder_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(building, "_build", build)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    building.built()
    environment = os.environ | {"TMPDIR": str(tmp_path)}

    command = [sys.executable, "-m", "chaos", "--minutes=0"]
    done = subprocess.run(
        command, cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=False, timeout=240
    )

    assert "etcd ended with status 0" in done.stderr
    assert "folder: tmpfs" in done.stderr or not can_mount()
