"""Folder delivery: the result is copied to the job's folder, if the settings allow it, and nothing else is changed."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from reconstruction_operator.api import codec
from reconstruction_operator.contract.attempt import SupersededError
from reconstruction_operator.contract.manifest import Manifest
from reconstruction_operator.transfer.errors import StorageError
from reconstruction_operator.transfer.folders.delivery import FolderTarget
from reconstruction_operator.transfer.folders.directories import Directory
from reconstruction_operator.transfer.runs import EVERY_ATTEMPT, DeliveringRun

from tests.support.refs import make_attempt
from tests.support.results import seal
from tests.support.settings import configure
from tests.support.unprivileged import unprivileged

FILES = {"model.glb": b"mesh", "textures/a.png": b"picture"}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "meshes"
    folder.mkdir()
    configure(monkeypatch, OUTPUT_ROOTS=(str(folder),), JOBS_DIR=str(tmp_path / "jobs"))
    return folder


@pytest.fixture
def result(tmp_path: Path) -> Path:
    return seal(tmp_path / "result", FILES)


def run_of(attempt: int, job_id: str = "job1") -> DeliveringRun:
    return DeliveringRun(make_attempt(job_id, attempt), folder=None)


def deliver(result: Path, uri: str, attempt: int = 1) -> None:
    FolderTarget(uri).deliver(result, run_of(attempt), lambda: None)


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


@pytest.mark.parametrize("is_there", [False, True], ids=["no folder", "an empty folder"])
def test_all_files_are_copied_and_the_staging_directory_is_deleted(is_there: bool, root: Path, result: Path) -> None:
    if is_there:
        (root / "banana").mkdir()
    deliver(result, f"file://{root}/banana")
    files = ["manifest.json", "model.glb", "textures", "textures/a.png"]
    assert names(root) == ["banana", *(f"banana/{name}" for name in files)]


@pytest.mark.parametrize(
    "uri",
    [
        pytest.param("file://{root}", id="a root itself"),
        pytest.param("file://{root}/../elsewhere", id="outside"),
        pytest.param("file://{root}/link/x", id="behind a link"),
        pytest.param("file://{root}/theirs", id="foreign files"),
        pytest.param("file://{root}/other", id="another job's result"),
        pytest.param("file:///jobs/other/output", id="another job's folder"),
        pytest.param("s3://bucket/x", id="a scheme that is not written"),
        pytest.param("banana", id="no URI"),
        pytest.param("file://{root}/a-file/x", id="below a file"),
        pytest.param("file://{root}/a-file", id="a file"),
        pytest.param("file://{root}/circle/x", id="below a link to itself"),
        pytest.param("file://{root}/" + "x" * 256, id="a name that is too long"),
        pytest.param("file://{root}/" + "x" * 256 + "/x", id="below a name that is too long"),
        pytest.param("file://{root}/nested", id="a manifest that is nested too deep"),
        pytest.param("file://{root}/huge", id="a manifest that is too large"),
        pytest.param("file://{root}/pipe", id="a manifest that is a pipe"),
        pytest.param("file://{root}/.job2.1.0123456789abcdef0123456789abcdef.partial", id="a delivery under way"),
        pytest.param("file://{root}/.job2.1.0123456789abcdef0123456789abcdef.partial/x", id="inside of one"),
    ],
)
def test_any_other_target_is_refused_and_not_touched(uri: str, root: Path, result: Path) -> None:
    put_foreign_files(root)
    before = names(root)
    with pytest.raises(StorageError, match="OUTPUT_REFUSED"):
        deliver(result, uri.format(root=root))
    with contextlib.suppress(StorageError):
        FolderTarget(uri.format(root=root)).withdraw(run_of(EVERY_ATTEMPT))
    assert names(root) == before


def put_foreign_files(root: Path) -> None:
    (root / "link").symlink_to(root.parent)
    (root / "circle").symlink_to(root / "circle")
    (root / "a-file").write_text("no folder")
    for name in ("nested", "huge", "pipe"):
        (root / name).mkdir()
    (root / "nested" / "manifest.json").write_text("[" * 200_000)
    (root / "huge" / "manifest.json").write_text(Manifest(make_attempt("job1"), model=" " * (1 << 20)).to_text())
    os.mkfifo(root / "pipe" / "manifest.json")
    (root / "theirs").mkdir()
    (root / "theirs" / "thesis.txt").write_text("years of work")
    (root / "other").mkdir()
    (root / "other" / "manifest.json").write_text(Manifest(make_attempt("job2")).to_text())


def test_nothing_is_delivered_without_output_roots(root: Path, result: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    configure(monkeypatch, OUTPUT_ROOTS=())
    with pytest.raises(StorageError, match="OUTPUT_REFUSED"):
        deliver(result, f"file://{root}/banana")


def test_complete_copy_is_kept_and_a_damaged_one_is_replaced(root: Path, result: Path) -> None:
    mesh = root / "banana" / "model.glb"
    deliver(result, f"file://{root}/banana")
    before = mesh.stat().st_ino
    deliver(result, f"file://{root}/banana", 2)
    assert mesh.stat().st_ino == before
    mesh.unlink()
    deliver(result, f"file://{root}/banana", 2)
    assert mesh.read_bytes() == b"mesh"
    assert names(root / "banana") == names(result)


@pytest.mark.parametrize("lost", ["manifest.json", "model.glb", ""])
def test_incomplete_result_is_not_delivered(root: Path, result: Path, lost: str) -> None:
    if lost:
        (result / lost).unlink()
    else:
        shutil.rmtree(result)
    with pytest.raises(SupersededError):
        deliver(result, f"file://{root}/banana")
    assert names(root) == []


@pytest.mark.parametrize("left", ["banana", f".job1.2.{'0' * 32}.partial"])
def test_run_that_finds_files_of_a_later_attempt_is_superseded(root: Path, result: Path, left: str) -> None:
    shutil.copytree(result, root / left)
    seal(root / left, FILES, attempt=2)
    before = names(root)
    with pytest.raises(SupersededError):
        deliver(result, f"file://{root}/banana")
    FolderTarget(f"file://{root}/banana").withdraw(run_of(1))
    assert names(root) == before


@pytest.mark.parametrize("theirs", ["job2", "job1.1", "xjob1"])
def test_staging_directories_of_other_jobs_are_not_touched(root: Path, result: Path, theirs: str) -> None:
    other = root / f".{theirs}.1.{'0' * 32}.partial"
    other.mkdir()
    deliver(result, f"file://{root}/banana")
    FolderTarget(f"file://{root}/banana").withdraw(run_of(1))
    assert names(root) == [other.name]


def test_withdraw_deletes_only_the_copy_of_its_job(root: Path, result: Path) -> None:
    deliver(result, f"file://{root}/banana")
    FolderTarget(f"file://{root}/banana").withdraw(run_of(1, "job2"))
    FolderTarget(f"file://{root}/banana").withdraw(run_of(1), copy=False)
    assert (root / "banana").exists()
    FolderTarget(f"file://{root}/banana").withdraw(run_of(1))
    assert names(root) == []
    FolderTarget(f"file://{root}/nowhere/banana").withdraw(run_of(1))
    assert names(root) == []


@pytest.mark.parametrize("text", ['{"attempt": %s}', '{"attempt": %s, "files": [{"bytes": 1e999}]}'])
def test_copy_whose_manifest_was_edited_is_still_withdrawn(text: str, root: Path, result: Path) -> None:
    deliver(result, f"file://{root}/banana")
    (root / "banana" / "manifest.json").write_text(text % json.dumps(codec.encode(make_attempt("job1"))))

    FolderTarget(f"file://{root}/banana").withdraw(run_of(1))

    assert names(root) == []


@pytest.mark.parametrize(
    ("moved", "error"),
    [
        pytest.param("banana", StorageError, id="before the earlier result is moved"),
        pytest.param("copy", OSError, id="before the new one is"),
    ],
)
def test_folder_created_at_the_last_moment_is_kept(
    moved: str, error: type[Exception], *, root: Path, result: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = Directory.rename

    def put_there_and_rename(folder: Directory, name: str, into: Directory, new_name: str) -> None:
        if name == moved:
            shutil.rmtree(root / "banana", ignore_errors=True)
            (root / "banana").mkdir()
            (root / "banana" / "thesis.txt").write_text("years of work")
        rename(folder, name, into, new_name)

    deliver(result, f"file://{root}/banana")
    seal(result, FILES, attempt=2)
    with monkeypatch.context() as patched:
        patched.setattr(Directory, "rename", put_there_and_rename)
        with pytest.raises(error):
            deliver(result, f"file://{root}/banana", 2)
    assert names(root) == ["banana", "banana/thesis.txt"]


def test_interrupted_copy_leaves_no_files(root: Path, result: Path) -> None:
    def check() -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        FolderTarget(f"file://{root}/banana").deliver(result, run_of(1), check)
    assert names(root) == []


_CHECK = (
    "import sys\n"
    "from reconstruction_operator.api.identity import AttemptRef, JobRef\n"
    "from reconstruction_operator.transfer import errors\n"
    "from reconstruction_operator.transfer.folders.delivery import FolderTarget\n"
    "from reconstruction_operator.transfer.runs import DeliveringRun\n"
    "try:\n"
    "    FolderTarget(sys.argv[1]).check(DeliveringRun(AttemptRef(JobRef.bare('job1'), 1), None))\n"
    "except errors.StorageError as error:\n"
    "    print(error)\n"
)


@pytest.mark.parametrize("name", ["banana", "new/banana"])
def test_a_folder_that_the_worker_may_not_write_to_is_refused_before_the_work(root: Path, name: str) -> None:
    root.chmod(0o555)
    program = unprivileged(sys.executable, "-c", _CHECK, f"file://{root}/{name}")
    settings = {"OUTPUT_ROOTS": str(root), "JOBS_DIR": str(root.parent / "jobs")}

    ended = subprocess.run(program, env=os.environ | settings, capture_output=True, text=True, check=False)
    root.chmod(0o755)

    assert ended.stdout == f"OUTPUT_REFUSED: this worker may not write to {root}: Permission denied\n", ended.stderr
    assert names(root) == []


def test_a_check_leaves_nothing_behind(root: Path) -> None:
    for name in ("banana", "new/banana"):
        FolderTarget(f"file://{root}/{name}").check(run_of(1))
    assert names(root) == []
