"""Setup for the demo, with a `go` and a `pip` that only pretend: the real ones take minutes."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from devcluster import wait_until
from devcluster.servers.pids import start_mark
from tests.support.paths import CHECKOUT

COPIED = ("scripts/setup", "requirements/dev.txt", "pyproject.toml", "plugin/pyproject.toml", "gallery/pyproject.toml")
GO = """#!/bin/sh
case $1 in
    env) echo go1.99.0 ;;
    list) echo net ;;
    build) echo $$ >"$TMPDIR/building"; exec sleep 600 ;;
esac
"""
# Without packages; its pip ends once the compiler runs.
PYTHON = f"""#!/bin/sh
case "$1 $2 $3" in
    "-m venv "*) mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
    "-m pip install") while [ ! -s "$TMPDIR/building" ]; do sleep 0.1; done; echo "Installing all" ;;
    "-m demo "*) echo "the demo of $3" ;;
    *) exec {sys.executable} -S "$@" ;;
esac
"""


def test_the_control_plane_is_built_beside_the_packages_until_the_demo_ends(tmp_path: Path) -> None:
    for name in COPIED:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(CHECKOUT / name, tmp_path / name)
    for name, text in (("go", GO), ("python", PYTHON)):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    (tmp_path / "devcluster").symlink_to(CHECKOUT / "devcluster")
    places = dict.fromkeys(("TMPDIR", "XDG_CACHE_HOME"), str(tmp_path)) | {"PYTHON": str(tmp_path / "python")}
    environment = os.environ | places | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    command = [tmp_path / "scripts/setup", "demo", "--keep"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=300)
    assert done.stdout == "the demo of --keep\n"
    assert "unpacking all of them; control plane: " in done.stderr
    compiler = int((tmp_path / "building").read_text())
    wait_until(lambda: start_mark(compiler) is None, "the end of the compiler")
