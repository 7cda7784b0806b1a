"""Process hardening: a process that hides its memory, a process that it forks, and a program that it executes."""

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


def test_a_hidden_process_forks_hidden_processes_but_exec_reveals() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0", "0", "1"]
