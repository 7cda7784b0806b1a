"""Local runs: the lines that the caller receives, and the files in its folder."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path
from typing import Any

import pytest
from reconstruction_operator.worker.local import failures
from reconstruction_operator.worker.local import run as local

from tests.support.photos import make_photo


def run(photos: list[Path], output: Path | str, model: str = "placeholder") -> tuple[int, list[dict[str, Any]]]:
    """Return the exit status and the lines."""
    lines: list[dict[str, Any]] = []
    parameters = {"stepSeconds": 0} if model == "placeholder" else {}
    request = local.LocalRequest([str(path) for path in photos], str(output), model, parameters)
    status = local.run(request, lambda line: lines.append(dict(line)))
    return status, lines


@pytest.mark.parametrize(
    ("model", "photos", "status", "reason"),
    [
        pytest.param("nothing", ["0.jpg"], local.USAGE, "BACKEND_UNAVAILABLE", id="no-such-model"),
        pytest.param("photogrammetry", ["gone.jpg"], local.USAGE, "INPUT_NOT_FOUND", id="no-such-photo"),
        pytest.param("photogrammetry", ["0.jpg"], local.FAILED, "TOO_FEW_IMAGES", id="too-few-photos"),
    ],
)
def test_a_failed_run_has_a_reason_and_leaves_nothing(
    tmp_path: Path, model: str, photos: list[str], status: int, reason: str
) -> None:
    (tmp_path / "0.jpg").write_bytes(make_photo())

    ended, lines = run([tmp_path / name for name in photos], tmp_path / "new" / "out", model)

    assert (ended, lines[-1]["failure"]["reason"]) == (status, reason)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("output", "message"),
    [
        pytest.param("0.jpg", "0.jpg is a file: name a new folder", id="file"),
        pytest.param("0.jpg/out", "0.jpg is a file: name a new folder", id="below-a-file"),
        pytest.param("o" * 300, "cannot be made: File name too long", id="long-name"),
        pytest.param("s3://meshes/out", "goes to a folder of this machine: name one", id="address"),
        pytest.param("file:///meshes/out", "write the path, /meshes/out", id="file-address"),
        pytest.param(".", " is not empty: name a new folder", id="used"),
    ],
)
def test_an_output_that_cannot_be_used_is_refused_before_the_photos_are_read(
    tmp_path: Path, output: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "0.jpg").write_bytes(make_photo())
    monkeypatch.chdir(tmp_path)

    status, lines = run([tmp_path / "gone.jpg"], output)

    assert (status, [line["failure"]["reason"] for line in lines]) == (local.USAGE, ["OUTPUT_REFUSED"])
    assert message in lines[0]["failure"]["message"]
    assert [path.name for path in tmp_path.iterdir()] == ["0.jpg"]


def test_what_a_killed_run_has_left_is_deleted(tmp_path: Path) -> None:
    left = tmp_path / ".reconstruction-k1lled"
    (left / "photos").mkdir(parents=True)
    (left / "photos" / "0.jpg").write_bytes(make_photo())

    status, _ = run([tmp_path], tmp_path)

    assert status == 0
    names = {path.name for path in tmp_path.iterdir()}
    assert "model.glb" in names
    assert not {name for name in names if name.startswith(".")}


def test_a_folder_that_another_run_uses_is_refused_and_keeps_its_files(tmp_path: Path) -> None:
    left = tmp_path / ".reconstruction-running"
    left.mkdir()
    descriptor = os.open(tmp_path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)  # as the other run does
        status, lines = run([tmp_path], tmp_path)
    finally:
        os.close(descriptor)

    assert (status, lines[-1]["failure"]["reason"]) == (local.USAGE, "OUTPUT_REFUSED")
    assert f"another run writes to {tmp_path}" in lines[-1]["failure"]["message"]
    assert left.is_dir()


def test_without_locks_a_folder_that_may_be_in_use_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    left = tmp_path / ".reconstruction-perhaps"
    left.mkdir()

    def flock(_descriptor: int, _operation: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", flock)
    status, lines = run([tmp_path], tmp_path)

    assert status == local.USAGE
    assert (
        f"{left} is the folder of a run that was killed, or of one that still runs" in lines[-1]["failure"]["message"]
    )
    assert left.is_dir()


def test_an_unknown_model_is_refused_in_the_words_of_this_machine(tmp_path: Path) -> None:
    _, lines = run([tmp_path], tmp_path / "out", "photogrametry")

    message = lines[-1]["failure"]["message"]
    assert "there is no model 'photogrametry': did you mean photogrammetry? This machine has " in message
    assert "worker" not in message


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        pytest.param(OSError(errno.ENOSPC, "No space"), "DISK_FULL", id="disk"),
        pytest.param(OSError(errno.EDQUOT, "Quota"), "DISK_FULL", id="quota"),
        pytest.param(OSError(errno.ENOSPC, "No space", "/dev/shm/x"), "DISK_FULL", id="another-disk"),
        pytest.param(PermissionError(errno.EACCES, "Permission denied", "/out"), "WORKER_ERROR", id="permission"),
        pytest.param(MemoryError(), "OUT_OF_MEMORY", id="memory"),
    ],
)
def test_failures_of_the_machine_do_not_speak_of_workers(tmp_path: Path, error: Exception, reason: str) -> None:
    code, message = failures.failure_of(error, tmp_path)

    assert code == reason
    assert "worker" not in message
    assert "job volume" not in message
