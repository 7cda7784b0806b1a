"""A user's shell for the commands in the pages: kubectl with the plugin, in a namespace of a running system with a
bucket.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from devcluster import commands
from devcluster.harness.jobs import Jobs
from devcluster.harness.system import System
from tests.support.paths import CHECKOUT, DATA
from tests.support.servers.objects import S3Server, running_moto
from tests.support.systems import QUICK, ROUGH, SLOW, SharedSystems

Shell = Callable[[str], "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")  # one process has one moto
def storage() -> Iterator[S3Server]:
    """An S3 server with the buckets in the pages.

    No other test may use these: all moto servers in one process share buckets.
    """
    with running_moto() as running:
        for name in ("photos", "meshes"):
            running.bucket(name)
        yield running


@pytest.fixture
def system(start_system: SharedSystems, storage: S3Server) -> System:
    return start_system(QUICK, SLOW, ROUGH, STORAGE_SCHEMES="s3", **storage.environment)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home folder with photos, and with the parts of the checkout that the pages use."""
    for name in ("charts", "examples", "manifests", "tests"):
        (tmp_path / name).symlink_to(CHECKOUT / name)
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "banana").symlink_to(DATA / "photos" / "berlin")
    return tmp_path


@pytest.fixture
def shell(jobs: Jobs, storage: S3Server, home: Path) -> Shell:
    """Run a script; the first command that fails ends the test."""
    cluster = jobs.system.cluster
    programs = home / "bin"
    programs.mkdir()
    (programs / "kubectl").symlink_to(cluster.kubectl_program)
    kubeconfig = home / "kubeconfig"
    kubeconfig.write_bytes(cluster.kubeconfig.read_bytes())
    environment = {
        "HOME": str(home),
        "KUBECONFIG": str(kubeconfig),
        "PATH": f"{programs}:{Path(sys.executable).parent}:{os.environ['PATH']}",
        **storage.environment,
    }
    commands.run(
        ["kubectl", "config", "set-context", "--current", "--namespace", jobs.namespace], environment=environment
    )

    def run(script: str) -> subprocess.CompletedProcess[str]:
        return commands.run(["bash", "-euo", "pipefail", "-c", script], environment=environment, folder=home)

    return run
