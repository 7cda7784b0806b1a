"""Hung mounts: their backoff, and which mount is recorded."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from reconstruction_operator.worker.deleting import hung_mounts

from tests.support.settings import configure


def test_the_backoff_of_a_mount_doubles_each_time(
    jobs_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1_000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    pauses = []
    for _ in range(6):
        begun = now
        hung_mounts.remember(tmp_path / "dead" / "banana", 0)
        while hung_mounts.above(tmp_path / "dead" / "apple"):
            now += 30.0
        pauses.append(now - begun)
    assert pauses == [60, 120, 240, 480, 900, 900]
    assert jobs_dir.exists()


def test_a_mount_that_responds_again_is_forgotten(jobs_dir: Path, tmp_path: Path) -> None:
    hung_mounts.remember(tmp_path / "dead" / "banana", 0)
    hung_mounts.forget(tmp_path / "dead" / "apple")
    assert hung_mounts.above(tmp_path / "dead") is None
    assert jobs_dir.exists()


def test_the_list_of_mounts_is_not_read_after_each_deletion(
    jobs_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "read_text", lambda path: pytest.fail(f"{path} was read"))
    hung_mounts.forget(tmp_path / "alive" / "banana")
    assert jobs_dir.exists()


def test_the_mount_of_job_folders_is_never_recorded(jobs_dir: Path) -> None:
    hung_mounts.remember(jobs_dir / "job", 0)
    assert hung_mounts.above(jobs_dir / "job") is None


@pytest.mark.parametrize(
    ("path", "mount"),
    [
        pytest.param("/meshes/a/banana", "/meshes/a", id="a-mount-of-its-own"),
        pytest.param("/meshes/a b/banana/x", "/meshes/a b", id="with-a-space"),
        pytest.param("/meshes/c/banana", "/meshes", id="the-nearest-mount"),
        pytest.param("/jobs-and-meshes/c/banana", "/jobs-and-meshes/c", id="the-mount-of-the-job-folders"),
        pytest.param("/other/c/banana", "/other/c", id="the-root"),
    ],
)
def test_the_nearest_mount_of_a_copy_is_recorded(path: str, mount: str, monkeypatch: pytest.MonkeyPatch) -> None:
    all_mounts = ["/", "/meshes", "/meshes/a", r"/meshes/a\040b", "/jobs-and-meshes"]
    text = "".join(f"{number} 1 0:1 / {one} rw - tmpfs none rw\n" for number, one in enumerate(all_mounts))
    monkeypatch.setattr(Path, "read_text", lambda _: text)
    configure(monkeypatch, JOBS_DIR="/jobs-and-meshes/jobs")
    hung_mounts.remember(Path(path), 0)
    assert hung_mounts.above(Path(path)) == mount
    assert hung_mounts.above(Path(mount).parent) is None


def test_a_relative_job_folder_and_a_root_without_a_mount_are_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    # The root of a process in a chroot need not be a mount.
    monkeypatch.setattr(Path, "read_text", lambda _: "1 1 0:1 / /proc rw - proc none rw\n")
    configure(monkeypatch, JOBS_DIR="jobs")
    hung_mounts.remember(Path("/meshes/banana"), 0)
    assert hung_mounts.above(Path("/meshes/apple")) == "/meshes"
