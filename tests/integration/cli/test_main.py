"""The command line of the operator, as a user runs it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROGRAM = Path(sys.executable).with_name("reconstruction-operator")


def test_an_operator_without_a_cluster_names_the_setting() -> None:
    done = subprocess.run([PROGRAM, "run"], capture_output=True, text=True, check=False, env={"HOME": "/nonexistent"})

    assert done.returncode == 1
    assert "no kubeconfig at" in done.stderr
    assert "set KUBECONFIG" in done.stderr
    assert "Traceback" not in done.stderr
