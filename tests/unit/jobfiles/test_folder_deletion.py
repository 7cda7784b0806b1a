"""Deletion of a job's folder: it is complete, and limited to that folder, also under concurrent changes."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from reconstruction_operator import disk
from reconstruction_operator.jobfiles import notes, publishing, workspace
from reconstruction_operator.jobfiles.folder_deletion import delete_job_files, drop_empty_folders, finish_deletions
from reconstruction_operator.jobfiles.layout import JobFolder

from tests.support.refs import make_attempt


def fill(folder: Path) -> Path:
    for name in ("input/a.jpg", "output/model.glb", "attempts/1/scratch/x"):
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_text("content")
    return folder


def test_a_deletion_removes_the_whole_folder_and_no_other(jobs_dir: Path) -> None:
    fill(jobs_dir / "job")
    fill(jobs_dir / "job-2")
    assert [delete_job_files("job") for _ in range(2)] == [True, False]
    assert [path.name for path in jobs_dir.iterdir()] == ["job-2"]


def test_links_are_removed_not_followed(jobs_dir: Path, tmp_path: Path) -> None:
    elsewhere = fill(tmp_path / "elsewhere")
    (jobs_dir / "job").symlink_to(elsewhere)
    (fill(jobs_dir / "job-2") / "output" / "link").symlink_to(elsewhere)
    (jobs_dir / "job-2" / "output" / "file").symlink_to(elsewhere / "output" / "model.glb")
    assert [delete_job_files(job_id) for job_id in ("job", "job-2")] == [True, True]
    assert (elsewhere / "output" / "model.glb").exists()
    assert list(jobs_dir.iterdir()) == []


def test_the_tombstone_of_an_interrupted_deletion_is_deleted_too(jobs_dir: Path) -> None:
    for job_id in ("job", "job-2"):
        fill(jobs_dir / job_id)
        JobFolder.of(job_id).condemn()
    delete_job_files("job")
    (left,) = jobs_dir.glob("*/*")
    assert left.parent.name == ".deleted"
    assert left.name.startswith("job-2-")


@pytest.mark.parametrize("jobs", [0, 40])
def test_a_deletion_lists_no_folders_of_other_jobs(jobs: int, jobs_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(jobs):
        (jobs_dir / f"job-{number}").mkdir()
    (jobs_dir / "job").mkdir()
    listed: list[str] = []
    for name in ("listdir", "scandir"):
        monkeypatch.setattr(os, name, recording(getattr(os, name), listed))

    assert delete_job_files("job")

    assert listed
    assert str(jobs_dir) not in listed


def recording(function: Callable[..., Any], listed: list[str]) -> Callable[..., Any]:
    """Wrap the function, so that it records the path of the folder that it lists."""

    def list_and_record(folder: Any = ".") -> Any:
        listed.append(str(Path(f"/proc/self/fd/{folder}").readlink() if isinstance(folder, int) else folder))
        return function(folder)

    return list_and_record


def test_a_tombstone_that_cannot_be_deleted_is_logged_and_retried(
    jobs_dir: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    fill(jobs_dir / "whole")
    for job_id in ("stays", "goes"):
        fill(jobs_dir / job_id)
        JobFolder.of(job_id).condemn()

    def refuse(folder: Path) -> None:
        if "stays" in folder.name:
            raise PermissionError(f"not {folder.name}")
        delete_tree(folder)

    delete_tree = disk.delete_tree
    with monkeypatch.context() as refusing:
        refusing.setattr(disk, "delete_tree", refuse)
        finish_deletions()
    (left,) = jobs_dir.glob(".deleted/*")
    assert left.name.startswith("stays-")
    assert f"could not finish an earlier deletion: not {left.name}" in caplog.text

    finish_deletions()
    assert [path.name for path in jobs_dir.iterdir()] == ["whole"]


def test_concurrent_deletions_all_succeed(jobs_dir: Path) -> None:
    for number in range(1_000):
        (jobs_dir / "job" / str(number // 20)).mkdir(parents=True, exist_ok=True)
        (jobs_dir / "job" / str(number // 20) / str(number)).touch()
    with ThreadPoolExecutor(8) as pool:
        deletions = [pool.submit(delete_job_files, "job") for _ in range(8)]
    assert sum(deletion.result() for deletion in deletions) == 1
    assert list(jobs_dir.iterdir()) == []


def test_a_concurrent_writer_does_not_keep_the_folder(jobs_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output = os.open(fill(jobs_dir / "job") / "output", os.O_RDONLY)
    names = iter("abcdefgh")

    def write_then_remove(folder: Any, **options: Any) -> None:
        if Path(folder).name == "output" and (name := next(names, None)):
            os.close(os.open(name, os.O_CREAT | os.O_WRONLY, dir_fd=output))
        rmdir(folder, **options)

    rmdir = os.rmdir
    monkeypatch.setattr(os, "rmdir", write_then_remove)
    delete_job_files("job")
    os.close(output)
    assert next(names, None) is None
    assert list(jobs_dir.iterdir()) == []


@pytest.mark.parametrize("deleted", ["workspace", "predecessor", "replaced output"])
def test_an_interrupted_deletion_leaves_only_tombstones(
    deleted: str, jobs_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files without the note of their owner would never be found."""

    def die(path: Path) -> None:
        (path / "owner.json").unlink(missing_ok=True)
        raise PermissionError

    first = workspace.prepare(make_attempt())
    notes.note(first, make_attempt(namespace="red"), "")
    (first.output / "model.glb").touch()
    second = workspace.prepare(make_attempt(number=2)) if deleted == "predecessor" else first
    with monkeypatch.context() as dying, contextlib.suppress(OSError):
        dying.setattr(disk, "delete_tree", die)
        if deleted == "workspace":
            first.discard()
        elif deleted == "predecessor":
            workspace.delete_predecessors("job", second)
        else:
            fill(jobs_dir / "job")
            publishing.publish(first, "job", replace=True)
    tombstones = list(jobs_dir.glob(".deleted/job-*"))
    assert len(tombstones) == 1
    assert not list((jobs_dir / "job").rglob(".*"))
    finish_deletions()
    assert not (jobs_dir / ".deleted").exists()


@pytest.mark.parametrize(
    ("names", "stays"),
    [
        pytest.param(["attempts/1-x/output/", "attempts/1-x/owner.json"], False, id="of-a-worker-killed-at-its-start"),
        pytest.param([], False, id="empty"),
        pytest.param(["input/"], True, id="made-by-a-caller"),
        pytest.param(["attempts/1-x/output/", "output/model.glb=mesh"], True, id="with-a-file"),
    ],
)
def test_a_job_folder_without_content_is_deleted_after_some_time(names: list[str], stays: bool, jobs_dir: Path) -> None:
    (jobs_dir / "job").mkdir()
    for name in names:
        path, _, text = name.partition("=")
        (jobs_dir / "job" / path).parent.mkdir(parents=True, exist_ok=True)
        (jobs_dir / "job" / path).mkdir() if path.endswith("/") else (jobs_dir / "job" / path).write_text(text)
    drop_empty_folders(time.time() - 60)
    assert (jobs_dir / "job").exists()
    drop_empty_folders(time.time() + 60)
    assert (jobs_dir / "job").exists() is stays
    assert not (jobs_dir / ".deleted").exists()
