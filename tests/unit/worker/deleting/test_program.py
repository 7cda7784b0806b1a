"""Deletion program: what it deletes, the paths that it announces, and its messages. test_process.py tests its process."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from reconstruction_operator import config
from reconstruction_operator.worker.deleting import program
from reconstruction_operator.worker.deleting.request import DeletionRequest

from tests.support.settings import configure
from tests.support.worker.attempts import JOB, kill_before_publishing


def answers(request: DeletionRequest, capsys: pytest.CaptureFixture[str], *hung_mounts: Path) -> list[dict[str, Any]]:
    """Return the messages that the program writes to stdout."""
    capsys.readouterr()
    before = config.settings
    try:
        program._answer(request.to_line(tuple(map(str, hung_mounts))))
    finally:
        config.use(before)
    return [json.loads(text) for text in capsys.readouterr().out.splitlines()]


def test_a_jobs_folder_is_announced_and_deleted_and_may_be_missing(
    jobs_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (jobs_dir / "job" / "output").mkdir(parents=True)
    at = {"at": str(jobs_dir / "job")}

    assert answers(DeletionRequest("job"), capsys) == [at, {"done": True}]
    assert list(jobs_dir.iterdir()) == []
    assert answers(DeletionRequest("job"), capsys) == [at, {"done": False}]


@pytest.mark.usefixtures("wanted")
def test_delivered_copies_are_announced_between_two_accesses_of_the_folder(jobs_dir: Path, meshes: Path) -> None:
    kill_before_publishing(meshes)
    paths: list[Path] = []

    assert program.perform(DeletionRequest(JOB), paths.append)
    assert paths == [jobs_dir / JOB, meshes / "banana", jobs_dir / JOB]
    assert list(jobs_dir.iterdir()) == list(meshes.iterdir()) == []


@pytest.mark.usefixtures("wanted")
def test_a_request_with_a_uri_deletes_that_copy_and_keeps_the_folder(jobs_dir: Path, meshes: Path) -> None:
    kill_before_publishing(meshes)
    paths: list[Path] = []

    assert program.perform(DeletionRequest(JOB, uri=f"file://{meshes}/banana", attempt=1), paths.append)
    assert paths == [meshes / "banana"]
    assert list(meshes.iterdir()) == []
    assert (jobs_dir / JOB).is_dir()


def test_no_path_on_a_hung_mount_is_accessed(jobs_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (jobs_dir / "job").mkdir()

    (answer,) = answers(DeletionRequest("job"), capsys, jobs_dir)
    assert f"a deletion in {jobs_dir} timed out" in answer["strerror"]
    assert (jobs_dir / "job").is_dir()


def test_a_refusal_names_its_reason(
    jobs_dir: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(monkeypatch, OUTPUT_ROOTS=("/meshes",))

    *_, answer = answers(DeletionRequest("job", uri="file:///elsewhere/banana", attempt=1), capsys)
    assert answer["refused"][0] == "OUTPUT_REFUSED"


def test_a_defect_is_reported_and_does_not_end_the_program(jobs_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (answer,) = answers(DeletionRequest("../job"), capsys)
    assert answer["strerror"].startswith("ValueError: ")
    assert answer["errno"] is None
