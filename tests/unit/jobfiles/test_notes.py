"""Ownership notes: they name the owner of a job folder and its delivered copies; invalid notes are ignored."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from reconstruction_operator.api import codec
from reconstruction_operator.api.identity import AttemptRef
from reconstruction_operator.contract.manifest import Manifest
from reconstruction_operator.jobfiles import notes
from reconstruction_operator.jobfiles.layout import JobFolder, Workspace
from reconstruction_operator.jobfiles.manifest import seal
from reconstruction_operator.jobfiles.notes import Note

from tests.support.refs import make_attempt, make_bare

OWNER = make_attempt("uid-1", 2, "gpu", namespace="red", install_id="mine")


def note_of(**changes: object) -> str:
    """Return the text of a note with these changes to its attempt."""
    return json.dumps({"attempt": codec.encode(OWNER) | changes})


def attempt(jobs_dir: Path, job_id: str, number: int) -> Workspace:
    root = jobs_dir / job_id / "attempts" / str(number)
    root.mkdir(parents=True)
    return Workspace(root)


def owners() -> list[AttemptRef]:
    return [owner for _, owner in notes.surveyed() if owner is not None]


def test_a_result_names_its_owner_and_the_newest_attempt_counts(jobs_dir: Path) -> None:
    output = jobs_dir / "uid-1" / "output"
    output.mkdir(parents=True)
    seal(output, Manifest(OWNER))
    assert [owner.number for owner in owners()] == [2]

    notes.note(attempt(jobs_dir, "uid-1", 3), replace(OWNER, number=3), "")
    assert [owner.number for owner in owners()] == [3]


def test_notes_and_results_name_the_uri_of_the_copy(jobs_dir: Path) -> None:
    owner = OWNER
    notes.note(attempt(jobs_dir, "uid-1", 1), owner, "file:///meshes/a")
    notes.note(attempt(jobs_dir, "uid-1", 2), owner, "")
    assert notes.deliveries(JobFolder.of("uid-1")) == (Note(owner, "file:///meshes/a", published=False),)

    output = jobs_dir / "uid-1" / "output"
    output.mkdir()
    seal(output, Manifest(owner, uri="file:///meshes/a"))
    assert notes.deliveries(JobFolder.of("uid-1")) == (Note(owner, "file:///meshes/a", published=True, of_result=True),)


def test_a_copy_is_of_a_published_result_unless_a_run_may_have_left_it(jobs_dir: Path) -> None:
    owner, uri = OWNER, "file:///meshes/a"
    folder = JobFolder.of("uid-1")
    assert notes.is_of_published_result(folder, uri)

    notes.note(attempt(jobs_dir, "uid-1", 1), owner, uri, published=True)
    assert notes.is_of_published_result(folder, uri)

    notes.note(attempt(jobs_dir, "uid-1", 2), owner, uri)
    assert not notes.is_of_published_result(folder, uri)
    assert notes.deliveries(folder) == (Note(owner, uri, published=False),)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        json.dumps({"outputUri": 7, "namespace": "red"}),
        json.dumps({"attempt": codec.encode(make_attempt("uid-2"))}),  # copied from another job
        note_of(number=True),
        note_of(number=0),
        note_of(number="2"),
        note_of(job=codec.encode(OWNER.job) | {"uid": "../uid-1"}),
    ],
)
def test_an_invalid_note_names_neither_owner_nor_copy(jobs_dir: Path, content: str) -> None:
    attempt(jobs_dir, "uid-1", 1).owner_note.write_text(content)
    (jobs_dir / "uid-1" / "output").mkdir()
    (jobs_dir / "uid-1" / "output" / "manifest.json").write_text(content)

    assert owners() == []
    assert notes.deliveries(JobFolder.of("uid-1")) == ()


def test_bare_tasks_and_foreign_files_have_no_owner(jobs_dir: Path) -> None:
    (jobs_dir / "bare" / "output").mkdir(parents=True)
    seal(jobs_dir / "bare" / "output", Manifest(make_bare("bare")))
    (jobs_dir / "a-file").write_text("")
    (jobs_dir / "input-only" / "input").mkdir(parents=True)

    assert owners() == []


def test_a_result_under_another_jobs_name_has_no_owner(jobs_dir: Path) -> None:
    for name in ("other", f".deleted-uid-1-{'0' * 32}", ".deleted-uid-1"):
        output = jobs_dir / name / "output"
        output.mkdir(parents=True)
        seal(output, Manifest(OWNER))

    assert owners() == []
