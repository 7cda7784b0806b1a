"""Setup for the demo: with a `go` and a `pip` that only pretend, because the real ones download and build for minutes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from devcluster import wait_until
from devcluster.servers.pids import start_mark
from tests.support.paths import CHECKOUT

GO = """#!/bin/sh
case $1 in
    env) echo go1.99.0 ;;
    list) echo net ;;
    build) echo $$ >"$TMPDIR/building"; exec sleep 600 ;;
esac
"""
# An interpreter without the packages, whose pip ends once the compiler runs.
PYTHON = f"""#!/bin/sh
case "$1 $2 $3" in
    "-m venv "*) mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
    "-m pip install") echo "Collecting numpy"; while [ ! -s "$TMPDIR/building" ]; do sleep 0.1; done; echo "Installing all" ;;
    "-m demo "*) echo "the demo of $3" ;;
    *) exec {sys.executable} -S "$@" ;;
esac
"""


def test_the_control_plane_is_built_beside_the_installation_and_not_beyond_the_demo(tmp_path: Path) -> None:
    for name, text in (("go", GO), ("python", PYTHON)):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    for name in (
        "scripts/setup",
        "requirements/dev.txt",
        "pyproject.toml",
        "plugin/pyproject.toml",
        "gallery/pyproject.toml",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(CHECKOUT / name, tmp_path / name)
    (tmp_path / "devcluster").symlink_to(CHECKOUT / "devcluster")
    places = {"TMPDIR": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path), "PYTHON": str(tmp_path / "python")}
    environment = os.environ | places | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}

    command = [tmp_path / "scripts/setup", "demo", "--keep"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=300)

    assert done.stdout == "the demo of --keep\n"
    assert "unpacking all of them; control plane: " in done.stderr
    compiler = int((tmp_path / "building").read_text())
    wait_until(lambda: start_mark(compiler) is None, "the end of the compiler")
