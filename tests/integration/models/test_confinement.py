"""Process confinement: a confined process can read only its children, and its files as before."""

import ctypes
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.support.unprivileged import unprivileged

LANDLOCK_VERSION = 444, None, 0, 1  # landlock_create_ruleset(2)
CHILD = """
    import os, pathlib, subprocess, sys
    from reconstruction_operator.models import confinement

    if sys.argv[1] == "confined":
        assert confinement.confine()
    try:
        parent = "password" in pathlib.Path(f"/proc/{os.getppid()}/environ").read_text()
    except PermissionError:
        parent = False
    with subprocess.Popen(["/bin/sleep", "60"]) as child:
        own = bool(os.listdir(f"/proc/{child.pid}/fd"))
        child.kill()
    for name in ("a", "b"):
        pathlib.Path(name).mkdir(exist_ok=True)
    pathlib.Path("a/file").write_text("")
    os.rename("a/file", "b/file")
    print(parent, own)
"""
PARENT = "import os, subprocess, sys; sys.exit(subprocess.run(sys.argv[1:]).returncode)"


@pytest.mark.parametrize(("how", "seen"), [("confined", "False True"), ("free", "True True")])
def test_only_a_free_process_reads_its_parent(how: str, seen: str, tmp_path: Path) -> None:
    assert ctypes.CDLL(None).syscall(*LANDLOCK_VERSION) >= 2, "this kernel lacks Landlock, which the test needs"
    child = (sys.executable, "-c", textwrap.dedent(CHILD), how)
    done = subprocess.run(
        unprivileged(sys.executable, "-c", PARENT, *child),
        env=os.environ | {"REDIS_STATE_DB": "redis://:password@host/1"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout.strip()) == (0, seen), done.stderr
