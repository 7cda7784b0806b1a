"""`run` as a user types it: the model's process, the output, and the exit code."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.paths import CHECKOUT, DATA
from tests.support.plugin import PROGRAM, get, run_program, serving

OFFLINE = ["--dry-run", "--no-deps", "--no-build-isolation", "--quiet"]


def test_run_creates_a_mesh(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "mesh"

    done = run_program("run", photos, "-o", out, "--model", "placeholder", "--force")

    assert done.returncode == 0, done.stderr
    files = [line.partition("  ")[0] for line in done.stdout.splitlines()]
    assert files[0] == str(out / "model.glb")
    assert sorted(files) == sorted(map(str, out.iterdir()))
    assert "60% Running reconstruction" in done.stderr
    assert "Simulated, not made from the photos" in done.stderr


@pytest.mark.parametrize(
    ("options", "made", "early_looks"),
    [
        pytest.param(["-o", "banana-mesh", "--quality", "preview"], "banana-mesh/model.glb", 1, id="the engine"),
        pytest.param(["--model", "rough-good"], "berlin-mesh/model.glb", 0, id="without -o"),
    ],
)
def test_the_folder_of_the_result_may_be_relative(
    options: list[str], made: str, early_looks: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(DATA / "photos" / "berlin", tmp_path / "berlin")
    monkeypatch.chdir(tmp_path)

    done = run_program("run", "berlin", *options, PYTHONPATH=str(DATA / "models"))

    assert done.returncode == 0, done.stderr
    files = [line.partition("  ")[0] for line in done.stdout.splitlines()]
    assert made in files
    assert done.stderr.count("photos aligned") == early_looks
    assert all(Path(file).stat().st_size for file in files)


def test_parameters_are_compared_with_the_schema_of_the_model(photos: Path, tmp_path: Path) -> None:
    done = run_program(
        *("run", photos, "-o", tmp_path / "mesh", "--model", "rough-described", "--param", "points=0", "--force"),
        PYTHONPATH=str(DATA / "models"),
    )

    assert done.returncode == 3
    assert "INVALID_PARAMETERS" in done.stderr
    assert "parameter points: 0 was given, allowed is a whole number of at least 2" in done.stderr
    assert "Loading" not in done.stderr


def test_run_with_open_shows_the_mesh_in_the_browser(photos: Path, tmp_path: Path) -> None:
    command = [str(PROGRAM), "run", str(photos), "-o", str(tmp_path / "mesh"), "--model", "placeholder", "--force"]

    with serving([*command, "--param", "stepSeconds=0", "--open"], os.environ) as address:
        assert get(address).status == 200
        assert get(f"{address}model.glb").content == (tmp_path / "mesh" / "model.glb").read_bytes()


def test_preview_fails_in_a_pipe(tmp_path: Path) -> None:
    done = run_program("preview", tmp_path)

    assert (done.returncode, done.stdout) == (2, "")
    assert "preview needs a colour terminal" in done.stderr


def test_a_failed_run_reports_the_reason_and_leaves_no_folder(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "mesh"

    done = run_program("run", photos, "-o", out, "--model", "placeholder", "--param", "stepSeconds=-1", "--force")

    assert done.returncode == 3
    assert "error: INVALID_PARAMETERS after" in done.stderr
    assert not out.exists()


def test_photos_that_would_fail_are_rejected(photos: Path, tmp_path: Path) -> None:
    done = run_program("run", photos / "0.jpg", "-o", tmp_path / "mesh")

    assert (done.returncode, "this photo set would fail" in done.stderr) == (2, True)


def test_without_models_the_message_has_a_command_that_installs_them(photos: Path) -> None:
    program = "import sys; sys.modules['psutil'] = None; from kubectl_recon.cli.main import main; main()"
    done = subprocess.run([sys.executable, "-c", program, "run", photos], capture_output=True, text=True, check=False)
    advised = re.search(r"in a checkout of the project, run (.+) \(Linux\)", done.stderr)

    assert (done.returncode, advised is not None) == (1, True), done.stderr
    assert advised is not None
    subprocess.run([*shlex.split(advised[1]), *OFFLINE], cwd=CHECKOUT, check=True)
