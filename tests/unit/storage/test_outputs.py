"""A copy of the result goes where the job wants it, if the settings allow it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from reconstruction_operator import config
from reconstruction_operator.services.storage import outputs
from reconstruction_operator.services.storage.errors import StorageError


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "meshes"
    folder.mkdir()
    monkeypatch.setattr(config, "OUTPUT_ROOTS", (str(folder),))
    monkeypatch.setattr(config, "JOBS_DIR", str(tmp_path / "jobs"))
    return folder


@pytest.fixture
def result(tmp_path: Path) -> Path:
    folder = tmp_path / "result"
    (folder / "textures").mkdir(parents=True)
    (folder / "model.glb").write_bytes(b"mesh")
    (folder / "textures" / "a.png").write_bytes(b"picture")
    (folder / "manifest.json").write_text(json.dumps({"jobId": "job1"}))
    return folder


def deliver(result: Path, uri: str, task_id: str = "job1-1") -> None:
    outputs.deliver(result, uri, "job1", task_id, lambda: None)


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def test_all_files_are_copied_and_nothing_else_is_left(root: Path, result: Path) -> None:
    deliver(result, f"file://{root}/banana")
    assert names(root) == [
        "banana",
        "banana/manifest.json",
        "banana/model.glb",
        "banana/textures",
        "banana/textures/a.png",
    ]


def test_an_earlier_result_of_the_same_job_is_replaced(root: Path, result: Path) -> None:
    deliver(result, f"file://{root}/a/banana")
    (result / "model.glb").write_bytes(b"better")
    deliver(result, f"file://{root}/a/banana", "job1-2")
    assert (root / "a" / "banana" / "model.glb").read_bytes() == b"better"
    assert names(root / "a") == ["banana", *(f"banana/{name}" for name in names(result))]


def test_an_empty_folder_is_filled(root: Path, result: Path) -> None:
    (root / "banana").mkdir()
    deliver(result, f"file://{root}/banana")
    assert names(root / "banana") == names(result)


@pytest.mark.parametrize(
    "uri",
    [
        pytest.param("file://{root}", id="a root itself"),
        pytest.param("file://{root}/../elsewhere", id="outside"),
        pytest.param("file://{root}/link/x", id="behind a link"),
        pytest.param("file://{root}/theirs", id="somebody's files"),
        pytest.param("file://{root}/other", id="another job's result"),
        pytest.param("file:///jobs/other/output", id="another job's folder"),
        pytest.param("s3://bucket/x", id="a scheme that is not written"),
        pytest.param("banana", id="no URI"),
    ],
)
def test_anything_else_is_refused_and_left_alone(uri: str, root: Path, result: Path) -> None:
    (root / "link").symlink_to(root.parent)
    (root / "theirs").mkdir()
    (root / "theirs" / "thesis.txt").write_text("years of work")
    (root / "other").mkdir()
    (root / "other" / "manifest.json").write_text(json.dumps({"jobId": "job2"}))
    before = names(root)
    with pytest.raises(StorageError, match="OUTPUT_REFUSED"):
        deliver(result, uri.format(root=root))
    assert names(root) == before


def test_without_roots_nothing_is_delivered(root: Path, result: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "OUTPUT_ROOTS", ())
    with pytest.raises(StorageError, match="OUTPUT_REFUSED"):
        deliver(result, f"file://{root}/banana")


def test_what_was_delivered_can_be_withdrawn_and_nothing_else(root: Path, result: Path) -> None:
    deliver(result, f"file://{root}/banana")
    outputs.withdraw(f"file://{root}/banana", "job2")
    assert (root / "banana").exists()
    outputs.withdraw(f"file://{root}/banana", "job1")
    assert names(root) == []


def test_an_interrupted_copy_leaves_nothing(root: Path, result: Path) -> None:
    def check() -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        outputs.deliver(result, f"file://{root}/banana", "job1", "job1-1", check)
    assert names(root) == []
