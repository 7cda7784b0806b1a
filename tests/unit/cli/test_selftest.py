"""The command `selftest`, as far as it goes without a cluster; tests/real/chart has it at work."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from reconstruction_operator.api import codec
from reconstruction_operator.api.spec import Spec
from reconstruction_operator.cli.selftest import manifest

PROGRAM = Path(sys.executable).with_name("reconstruction-operator")


def test_without_a_cluster_it_says_so(tmp_path: Path) -> None:
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "KUBECONFIG": str(tmp_path / "none")}

    done = subprocess.run(
        [PROGRAM, "selftest"], capture_output=True, text=True, check=False, env=environment, timeout=120
    )

    assert done.returncode == 1
    assert "reconstruction-operator: no API server" in done.stderr


def test_its_job_is_a_simulation_that_is_tried_once() -> None:
    spec = codec.decode(Spec, manifest("gpu")["spec"])

    assert (spec.model_type, spec.queue, spec.backoff_limit) == ("placeholder", "gpu", 0)
