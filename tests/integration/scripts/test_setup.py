"""Setup for the demo, with a `go`, a `pip` and a `uv` that only pretend: the real ones take minutes."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from devcluster import wait_until
from devcluster.servers.pids import start_mark
from tests.support.paths import CHECKOUT

COPIED = (
    *("scripts/setup", "scripts/uv_settings.py", "requirements/dev.txt", "requirements/uv.txt"),
    *("pyproject.toml", "plugin/pyproject.toml", "gallery/pyproject.toml"),
)
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
    "-m pip config") echo "global.index-url='https://mirror.example/simple'" ;;
    "-m pip install")
        case "$*" in
            *requirements/uv.txt) [ -e "$TMPDIR/uv" ] && cp "$TMPDIR/uv" .venv/bin/uv && exit ;;
            *) while [ ! -s "$TMPDIR/building" ]; do sleep 0.1; done; echo "Installing all by pip"; exit ;;
        esac
        exit 1 ;;
    "-m demo "*) echo "the demo of $3" ;;
    *) exec {sys.executable} -S "$@" ;;
esac
"""
UV = """#!/bin/sh
while [ ! -s "$TMPDIR/building" ]; do sleep 0.1; done
echo "$UV_DEFAULT_INDEX $UV_HTTP_TIMEOUT $VIRTUAL_ENV" >>"$TMPDIR/uv-calls"
echo "Prepared 3 packages"
"""
BROKEN_UV = """#!/bin/sh
echo "uv: no such index"
exit 2
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout without packages, whose Python and Go pretend."""
    for name in COPIED:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(CHECKOUT / name, tmp_path / name)
    for name, text in (("go", GO), ("python", PYTHON)):
        write_program(tmp_path / name, text)
    (tmp_path / "devcluster").symlink_to(CHECKOUT / "devcluster")
    return tmp_path


def write_program(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


def set_up(checkout: Path) -> str:
    """Set up for a demo, wait for the end of the compiler, and return the messages."""
    places = dict.fromkeys(("TMPDIR", "XDG_CACHE_HOME"), str(checkout)) | {"PYTHON": str(checkout / "python")}
    environment = os.environ | places | {"PATH": f"{checkout}:{os.environ['PATH']}", "UV_HTTP_TIMEOUT": "77"}
    command = [checkout / "scripts/setup", "demo", "--keep"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=300)
    assert done.stdout == "the demo of --keep\n"
    compiler = int((checkout / "building").read_text())
    wait_until(lambda: start_mark(compiler) is None, "the end of the compiler")
    return done.stderr


def test_the_control_plane_is_built_beside_the_packages_until_the_demo_ends(checkout: Path) -> None:
    write_program(checkout / "uv", UV)
    assert "unpacking all of them; control plane: " in set_up(checkout)


def test_uv_installs_packages_and_project_with_the_settings_of_pip(checkout: Path) -> None:
    write_program(checkout / "uv", UV)
    set_up(checkout)
    call = f"https://mirror.example/simple 77 {checkout}/.venv\n"
    assert (checkout / "uv-calls").read_text() == call * 2
    assert "by pip" not in (checkout / ".venv/setup.log").read_text()


@pytest.mark.parametrize(
    ("uv", "message"),
    [
        pytest.param("", "there is no uv for this machine", id="no-wheel"),
        pytest.param(BROKEN_UV, "uv could not install the packages", id="fails"),
    ],
)
def test_pip_installs_the_packages_if_uv_cannot(checkout: Path, uv: str, message: str) -> None:
    if uv:
        write_program(checkout / "uv", uv)
    assert message in set_up(checkout)
    assert (checkout / ".venv/setup.log").read_text().count("Installing all by pip") == 2
