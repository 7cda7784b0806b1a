"""The short form of `make chaos` with a fixed seed: three minutes of combined faults over 50 jobs."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from chaos.system.disk import can_mount
from tests.support.paths import CHECKOUT

SEED = 11
PATIENCE = 4  # other tests run at the same time; `make chaos` uses 1

pytestmark = pytest.mark.release


@pytest.mark.timeout(900)
def test_combined_faults_over_fifty_jobs_break_no_invariant(control_plane_programs: None, tmp_path: Path) -> None:
    report = tmp_path / "report.md"

    options = ["--short", f"--seed={SEED}", f"--patience={PATIENCE}", f"--report={report}"]
    command = [sys.executable, "-m", "chaos", *options]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False, timeout=800)

    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-5_000:]
    assert "skipped" not in report.read_text() or not can_mount()
    total = re.search(r"^\| \*\*all\*\* \| (\d+) \|(.*)\|", report.read_text(), re.MULTILINE)
    assert total is not None
    faults, *checks = [int(text) for text in re.findall(r"\d+", total[0])][:7]
    assert faults >= 6  # a busy machine recovers slowly, so fewer rounds fit
    assert all(count > 0 for count in checks), "each invariant examined something"
