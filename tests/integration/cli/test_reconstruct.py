"""Reconstruct: a model in its own process on this machine, as `recon run` starts it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.paths import CHECKOUT, DATA
from tests.support.photos import make_photo

PROGRAM = Path(sys.executable).with_name("reconstruction-operator")


def test_a_model_gets_photos_with_masks_and_its_remaining_time_is_shown(tmp_path: Path) -> None:
    photos, out = tmp_path / "photos", tmp_path / "out"
    (photos / "masks").mkdir(parents=True)
    (photos / "a.jpg").write_bytes(make_photo())
    (photos / "b.jpg").write_bytes(make_photo())
    (photos / "a.mask.png").write_bytes(make_photo("PNG"))
    (photos / "masks" / "b.png").write_bytes(make_photo("PNG"))
    files = sorted(path for path in photos.rglob("*") if path.is_file())

    done = subprocess.run(
        [PROGRAM, "reconstruct", *files, "--output", out, "--model", "rough-good"],
        env=os.environ | {"PYTHONPATH": str(DATA / "models")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    *reports, last = [json.loads(line) for line in done.stdout.splitlines()]
    assert last["result"]["images"] == 2
    assert (out / "seen.txt").read_text().splitlines()[:2] == ["photos=a.jpg,b.jpg", "masks=a.mask.png,b.mask.png"]
    assert [line["remainingSeconds"] for line in reports if line["message"] == "half"] == [30.0]


def test_a_second_run_continues_from_the_stages_in_the_cache_of_the_user(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(make_photo())

    command = [PROGRAM, "reconstruct", tmp_path / "a.jpg", "--model", "rough-staged", "--param", "dies=false"]

    def facts(output: str, **settings: str) -> list[str]:
        done = subprocess.run(
            [*command, "--output", tmp_path / output],
            env=os.environ | {"PYTHONPATH": str(DATA / "models"), "XDG_CACHE_HOME": str(tmp_path / "cache")} | settings,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        return [fact for line in done.stdout.splitlines() if (fact := json.loads(line).get("fact"))]

    assert facts("first") == []
    assert facts("second") == ["continues after features of an earlier run"]
    assert facts("third", KEEP_STAGES_SECONDS="0") == []


@pytest.mark.parametrize(("ending", "status"), [(signal.SIGINT, 130), (signal.SIGHUP, -signal.SIGHUP)])
def test_ctrl_c_and_a_closed_terminal_leave_nothing_in_the_output(
    tmp_path: Path, ending: signal.Signals, status: int
) -> None:
    photos, out = CHECKOUT / "examples" / "photos" / "banana", tmp_path / "out"
    # SIGINT is ignored if the tests run in the background.
    program = ["env", "--default-signal=INT", PROGRAM.with_name("recon"), "run", photos, "-o", out]
    env = os.environ | {"XDG_CACHE_HOME": str(tmp_path)}
    with subprocess.Popen(program, stderr=subprocess.PIPE, text=True, env=env, start_new_session=True) as run:
        assert run.stderr is not None
        assert next((line for line in run.stderr if "features" in line), "") != ""
        os.killpg(run.pid, ending)  # as a terminal does
        assert "Traceback" not in run.stderr.read()  # to the end of all processes
        assert run.wait(60) == status
    assert not out.exists()
