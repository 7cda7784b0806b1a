"""The layout of a job's folders, and deleting them without hurting anything else."""

from __future__ import annotations

import os
import shutil
import threading
from pathlib import Path

import pytest
from reconstruction_operator import disk
from reconstruction_operator.jobfiles.layout import JobFolder
from reconstruction_operator.services import file_handler


def fill(folder: Path) -> Path:
    for name in ("input/a.jpg", "output/model.glb", "attempts/1/scratch/x"):
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_text("content")
    return folder


def test_the_layout_is_the_contracts(jobs_dir: Path) -> None:
    assert file_handler.job_dir("test123") == jobs_dir / "test123"
    assert file_handler.input_dir("test123") == jobs_dir / "test123" / "input"
    assert file_handler.output_dir("test123") == jobs_dir / "test123" / "output"


def test_deleting_takes_everything_of_the_job_and_nothing_else(jobs_dir: Path) -> None:
    fill(jobs_dir / "job")
    fill(jobs_dir / "job-2")
    assert file_handler.delete_job_files("job") is True
    assert [path.name for path in jobs_dir.iterdir()] == ["job-2"]


def test_deleting_again_says_that_there_was_nothing(jobs_dir: Path) -> None:
    fill(jobs_dir / "job")
    file_handler.delete_job_files("job")
    assert file_handler.delete_job_files("job") is False


BAD_IDS = ["", ".", "..", "a/b", "../a", "/etc", "a/../b", "a..b", "-a", "a-", "a\n", "a\x00", "a" * 129, "ä", None, 7]


@pytest.mark.parametrize("job_id", BAD_IDS, ids=repr)
def test_an_unsafe_job_id_never_becomes_a_path(job_id: str, jobs_dir: Path) -> None:
    fill(jobs_dir / "job")
    for function in (
        file_handler.delete_job_files,
        file_handler.job_dir,
        file_handler.input_dir,
        file_handler.output_dir,
        JobFolder.of,
    ):
        with pytest.raises(ValueError, match="job id"):
            function(job_id)
    assert (jobs_dir / "job" / "output" / "model.glb").exists()


def test_a_link_in_the_place_of_the_folder_is_removed_and_not_followed(jobs_dir: Path, tmp_path: Path) -> None:
    elsewhere = fill(tmp_path / "elsewhere")
    (jobs_dir / "job").symlink_to(elsewhere)
    assert file_handler.delete_job_files("job") is True
    assert (elsewhere / "output" / "model.glb").exists()
    assert list(jobs_dir.iterdir()) == []


def test_links_inside_the_folder_are_removed_and_not_followed(jobs_dir: Path, tmp_path: Path) -> None:
    elsewhere = fill(tmp_path / "elsewhere")
    fill(jobs_dir / "job")
    (jobs_dir / "job" / "output" / "link").symlink_to(elsewhere)
    (jobs_dir / "job" / "output" / "file").symlink_to(elsewhere / "output" / "model.glb")
    file_handler.delete_job_files("job")
    assert (elsewhere / "output" / "model.glb").exists()


def test_what_a_worker_left_that_died_while_deleting_goes_as_well(jobs_dir: Path) -> None:
    fill(jobs_dir / "job")
    disk.set_aside(jobs_dir / "job", ".deleted-job-")
    fill(jobs_dir / "job-2")
    disk.set_aside(jobs_dir / "job-2", ".deleted-job-2-")
    file_handler.delete_job_files("job")
    (left,) = jobs_dir.iterdir()
    assert left.name.startswith(".deleted-job-2-")


def test_many_may_delete_at_once(jobs_dir: Path) -> None:
    for number in range(50):
        folder = jobs_dir / "job" / str(number)
        folder.mkdir(parents=True)
        for name in range(20):
            (folder / str(name)).touch()
    errors: list[BaseException] = []

    def delete() -> None:
        try:
            file_handler.delete_job_files("job")
        except BaseException as error:  # noqa: BLE001  # reported below
            errors.append(error)

    threads = [threading.Thread(target=delete) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert list(jobs_dir.iterdir()) == []


def test_somebody_who_still_writes_does_not_keep_the_folder_alive(jobs_dir: Path) -> None:
    fill(jobs_dir / "job")
    inside = os.open(jobs_dir / "job" / "output", os.O_RDONLY)
    stop = threading.Event()

    def write() -> None:
        number = 0
        while not stop.is_set() and number < 10_000:
            number += 1
            try:
                os.close(os.open(str(number), os.O_CREAT | os.O_WRONLY, dir_fd=inside))
            except FileNotFoundError:
                return

    thread = threading.Thread(target=write)
    thread.start()
    try:
        file_handler.delete_job_files("job")
    finally:
        stop.set()
        thread.join()
        os.close(inside)
    assert list(jobs_dir.iterdir()) == []


def test_a_folder_that_names_what_is_not_there_is_not_tried_for_ever(
    jobs_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def find_nothing(path: Path, ignore_errors: bool = False) -> None:
        if not ignore_errors:
            raise FileNotFoundError(path)

    monkeypatch.setattr(disk, "_DELETE_SECONDS", 0.05)
    monkeypatch.setattr(shutil, "rmtree", find_nothing)
    with pytest.raises(FileNotFoundError):
        disk.delete_tree(jobs_dir)
