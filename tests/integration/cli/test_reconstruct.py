"""Reconstruct: a model in its own process on this machine, as `recon run` starts it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from devcluster.mounts import small_disk
from devcluster.waiting import wait_until
from tests.support.paths import DATA
from tests.support.photos import make_photo
from tests.support.unprivileged import unprivileged

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


def write_package(folder: Path, engine: str, depths: str) -> None:
    """Write a model with stages, and a package of another version that overrides a part of it."""
    (folder / "engine.py").write_text(
        f"from rough_models import Staged\nclass Engine(Staged):\n    version = {engine!r}\n"
    )
    (folder / "depths.py").write_text("from engine import Engine\nclass Depths(Engine):\n    name = 'deep'\n")
    about = folder / "depths-1.dist-info"
    about.mkdir(exist_ok=True)
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: depths\nVersion: {depths}\n")
    (about / "entry_points.txt").write_text("[reconstruction_operator.models]\ndeep = depths:Depths\n")


@pytest.mark.release  # many runs of a program
def test_an_upgrade_of_either_package_of_a_model_takes_no_stages_of_the_old_one(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(make_photo())
    package = tmp_path / "package"
    package.mkdir()
    paths = f"{package}:{DATA / 'models'}"
    env = os.environ | {"PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1", "XDG_CACHE_HOME": str(tmp_path / "cache")}
    command = [PROGRAM, "reconstruct", tmp_path / "a.jpg", "--model", "deep", "--param", "dies=false", "--output"]

    def continues(output: str, **versions: str) -> bool:
        write_package(package, **versions)
        done = subprocess.run(
            [*command, tmp_path / output], env=env, capture_output=True, text=True, timeout=60, check=True
        )
        return "continues after features of an earlier run" in done.stdout

    assert not continues("first", engine="10", depths="1.0")
    assert continues("same", engine="10", depths="1.0")
    assert not continues("depths", engine="10", depths="2.0")
    assert not continues("engine", engine="11", depths="2.0")
    assert continues("back", engine="10", depths="1.0")


def test_a_cache_of_another_user_costs_the_stages_alone(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(make_photo())
    cache = tmp_path / "cache" / "reconstruction-operator"
    cache.mkdir(parents=True)
    cache.chmod(0)  # no more than what another user may do in the folder that a run under sudo has made

    command = ["reconstruct", "--output", tmp_path / "out", "--model", "rough-staged", "--param", "dies=false"]
    done = subprocess.run(
        unprivileged(str(PROGRAM), *map(str, command), str(tmp_path / "a.jpg")),
        env=os.environ | {"PYTHONPATH": str(DATA / "models"), "XDG_CACHE_HOME": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stdout
    facts = {json.loads(line).get("fact", "") for line in done.stdout.splitlines()} - {""}
    assert facts == {
        f"stages of other runs are not used, and none are kept: {cache / 'stages'}: Permission denied",
    }


def test_a_full_disk_is_not_called_a_job_volume(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (tmp_path / "a.jpg").write_bytes(make_photo() + bytes(2 << 20))
    with small_disk(out, 1) as is_small:
        if is_small:
            done = subprocess.run(
                [PROGRAM, "reconstruct", tmp_path / "a.jpg", "--output", out, "--model", "rough-good"],
                env=os.environ | {"PYTHONPATH": str(DATA / "models")},
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            failure = json.loads(done.stdout.splitlines()[-1])["failure"]
            assert (done.returncode, failure["reason"]) == (3, "DISK_FULL")
            assert f"left at {out}. Free space there, or name a folder on another disk (-o)." in failure["message"]
            assert list(out.iterdir()) == []
    assert out.is_dir()


@contextmanager
def running(photo: Path, out: Path) -> Iterator[subprocess.Popen[str]]:
    """Start `recon run` with a model that ignores SIGTERM, and wait until the model works."""
    # SIGINT is ignored if the tests run in the background, SIGHUP under nohup.
    program = ["env", "--default-signal=INT,HUP", PROGRAM.with_name("recon"), "run", photo, "--force", "-o", out]
    cache = out.parent / "cache"
    cache.mkdir()
    env = os.environ | {
        "PYTHONPATH": str(DATA / "models"),
        "XDG_CACHE_HOME": str(cache),
        "ROUGH_MODELS_PIDS": str(cache),
    }
    with subprocess.Popen(
        [*program, "--model", "rough-stubborn"], stderr=subprocess.PIPE, text=True, env=env, start_new_session=True
    ) as run:
        assert run.stderr is not None
        assert next((line for line in run.stderr if "Running reconstruction" in line), "") != ""
        wait_until(lambda: list(cache.glob("*.pid")), "the model to work")
        yield run


@pytest.mark.parametrize("alone", [False, True], ids=["terminal", "process"])
@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_a_run_and_leaves_nothing(tmp_path: Path, ending: signal.Signals, *, alone: bool) -> None:
    (tmp_path / "a.jpg").write_bytes(make_photo())
    with running(tmp_path / "a.jpg", tmp_path / "out") as run:
        started = psutil.Process(run.pid).children(recursive=True)
        assert len(started) >= 3  # the program, the model's guard, the model
        (os.kill if alone else os.killpg)(run.pid, ending)  # a terminal signals the whole group
        assert run.stderr is not None
        assert "Traceback" not in run.stderr.read()
        assert run.wait(60) == 128 + ending
        wait_until(lambda: not any(process.is_running() for process in started), "the end of all processes")
    assert [path.name for path in tmp_path.iterdir() if path.name != "cache"] == ["a.jpg"]


def test_a_killed_run_does_not_refuse_the_next(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(make_photo())
    out = tmp_path / "out"
    with running(tmp_path / "a.jpg", out) as run:
        os.killpg(run.pid, signal.SIGKILL)
    (left,) = out.iterdir()

    command = [PROGRAM, "reconstruct", tmp_path / "a.jpg", "--output", out, "--model", "rough-good"]
    env = os.environ | {"PYTHONPATH": str(DATA / "models")}
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 0, done.stdout
    assert not left.exists()
    assert (out / "model.glb").is_file()
