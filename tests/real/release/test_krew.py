"""krew: the real one installs a release's archive without a network, and the real kubectl runs the plugin by a Python
without packages.
"""

from __future__ import annotations

import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from devcluster.programs.building import KREW, built
from devcluster.programs.toolchain import kubectl
from scripts.release import krew, packages
from tests.support.paths import CHECKOUT, PHOTOS

pytestmark = [pytest.mark.release, pytest.mark.timeout(3600)]  # builds krew, and downloads 60 MB of wheels


def test_krew_installs_a_plugin_that_needs_no_package(control_plane_programs: None, tmp_path: Path) -> None:
    packages.build_python(tmp_path, 1_790_000_000)
    manifest, archive = krew.build(tmp_path, 1_790_000_000, "OWNER", {("linux", "amd64")})
    with tarfile.open(archive) as content:
        compiled = [name.split("/")[2] for name in content.getnames() if "/msgspec/_core." in name]
    assert compiled == ["python3.11", "python3.12", "python3.13"]

    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "python"], check=True)
    folders = (tmp_path / "krew/bin", tmp_path / "python/bin", kubectl().parent, built(KREW), "/usr/bin", "/bin")
    environment = {"PATH": ":".join(map(str, folders)), "HOME": str(tmp_path), "KREW_ROOT": str(tmp_path / "krew")}
    environment["HTTPS_PROXY"] = "http://127.0.0.1:9"  # where nothing listens

    def run(*command: str | Path) -> str:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    run("krew", "install", f"--manifest={manifest}", f"--archive={archive}")
    assert "submit" in run("kubectl", "recon", "--help")
    job = run("kubectl", "recon", "submit", PHOTOS / "lund", "--upload", "s3://photos/", "--dry-run", "-o", "yaml")
    assert "uri: s3://photos/lund/\n" in job  # by Pillow, PyYAML, msgspec and obstore, which are compiled


def test_the_launcher_refuses_an_old_python_with_advice() -> None:
    old = "import runpy, sys; sys.version_info, sys.version = (3, 9), '3.9.6 (of a Mac)'; runpy.run_path(sys.argv[1])"
    command = [sys.executable, "-c", old, CHECKOUT / "plugin/krew/kubectl-recon"]
    done = subprocess.run(command, env={"PATH": "/nowhere"}, capture_output=True, text=True, check=False)
    assert done.stderr == "kubectl recon needs Python 3.11, 3.12 or 3.13, but python3 is 3.9.6\n"
