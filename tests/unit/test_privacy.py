"""Privacy: a process that hides its memory, what it forks, and what it executes."""

import subprocess
import sys

PROGRAM = """
import ctypes, os, subprocess, sys
from reconstruction_operator import privacy

asked = "import ctypes; print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))"  # PR_GET_DUMPABLE
privacy.hide_memory()
exec(asked)
sys.stdout.flush()
if os.fork() == 0:
    exec(asked)
    sys.stdout.flush()
    os._exit(0)
os.wait()
subprocess.run([sys.executable, "-S", "-c", asked], check=True)
"""


def test_a_hidden_process_forks_hidden_ones_and_executes_open_ones() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0", "0", "1"]
