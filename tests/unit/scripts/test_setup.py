"""`scripts/setup` reports missing programs. Every other test depends on its result."""

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

from tests.support.paths import CHECKOUT


def copy_of_the_checkout(folder: Path) -> Path:
    for name in (
        "scripts/setup",
        "requirements/dev.txt",
        "pyproject.toml",
        "plugin/pyproject.toml",
        "gallery/pyproject.toml",
    ):
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copy2(CHECKOUT / name, folder / name)
    return folder


def setup(checkout: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [checkout / "scripts" / "setup"],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def test_an_unsuitable_python_is_reported(tmp_path: Path) -> None:
    done = setup(copy_of_the_checkout(tmp_path), PYTHON="/bin/false")
    assert done.returncode == 1
    assert 'found no Python 3.11, 3.12 or 3.13 (PYTHON is "/bin/false")' in done.stderr
    assert "sudo apt-get install python3 python3-venv" in done.stderr


def test_a_current_environment_stays_unchanged(tmp_path: Path) -> None:
    checkout = copy_of_the_checkout(tmp_path)
    program = checkout / ".venv" / "bin" / "python"
    program.parent.mkdir(parents=True)
    program.symlink_to(shutil.which("true") or "true")
    for done, of in (
        ("requirements.done", ["requirements/dev.txt"]),
        ("project.done", ["pyproject.toml", "plugin/pyproject.toml", "gallery/pyproject.toml"]),
    ):
        digest = hashlib.sha256(b"".join((checkout / name).read_bytes() for name in of)).hexdigest()
        (checkout / ".venv" / done).write_text(digest[:32] + "\n")
    done_twice = setup(checkout)
    assert (done_twice.returncode, done_twice.stderr) == (0, "")
