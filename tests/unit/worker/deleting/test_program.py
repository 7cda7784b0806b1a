"""The program that deletes: what it deletes, what it announces, and its answers. Its process: test_process.py."""

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


def answers(
    request: DeletionRequest, capsys: pytest.CaptureFixture[str], *hanging: Path, line: bytes = b""
) -> list[dict[str, Any]]:
    """What the program writes to stdout."""
    capsys.readouterr()
    before = config.settings
    try:
        program._answer(line or request.to_line(tuple(map(str, hanging))))
    finally:
        config.use(before)
    return [json.loads(text) for text in capsys.readouterr().out.splitlines()]


def test_a_jobs_folder_is_announced_and_deleted_and_a_missing_one_is_no_error(
    jobs_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (jobs_dir / "job" / "output").mkdir(parents=True)
    place = {"at": str(jobs_dir / "job")}

    assert answers(DeletionRequest("job"), capsys) == [place, {"done": True}]
    assert list(jobs_dir.iterdir()) == []
    assert answers(DeletionRequest("job"), capsys) == [place, {"done": False}]


@pytest.mark.usefixtures("wanted")
def test_delivered_copies_are_announced_between_the_two_looks_at_the_folder(jobs_dir: Path, meshes: Path) -> None:
    kill_before_publishing(meshes)
    places: list[Path] = []

    assert program.perform(DeletionRequest(JOB), places.append)
    assert places == [jobs_dir / JOB, meshes / "banana", jobs_dir / JOB]
    assert list(jobs_dir.iterdir()) == list(meshes.iterdir()) == []


@pytest.mark.usefixtures("wanted")
def test_a_request_with_a_uri_deletes_that_copy_and_keeps_the_folder(jobs_dir: Path, meshes: Path) -> None:
    kill_before_publishing(meshes)
    places: list[Path] = []

    assert program.perform(DeletionRequest(JOB, uri=f"file://{meshes}/banana", attempt=1), places.append)
    assert places == [meshes / "banana"]
    assert list(meshes.iterdir()) == []
    assert (jobs_dir / JOB).is_dir()


def test_nothing_below_a_place_that_hangs_is_touched(jobs_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (jobs_dir / "job").mkdir()

    (answer,) = answers(DeletionRequest("job"), capsys, jobs_dir)
    assert f"a deletion in {jobs_dir} did not end" in answer["strerror"]
    assert (jobs_dir / "job").is_dir()


def test_a_refusal_names_its_reason(
    jobs_dir: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(monkeypatch, OUTPUT_ROOTS=("/meshes",))

    *_, answer = answers(DeletionRequest("job", uri="file:///elsewhere/banana", attempt=1), capsys)
    assert answer["refused"][0] == "OUTPUT_REFUSED"


def test_a_defect_is_an_answer_and_not_the_end_of_the_program(
    jobs_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (answer,) = answers(DeletionRequest("../job"), capsys)
    assert answer["strerror"].startswith("ValueError: ")
    assert answer["errno"] is None
