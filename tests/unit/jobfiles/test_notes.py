"""Ownership notes: they name the owner of a job folder and its delivered copies; invalid notes are ignored."""

import json
from pathlib import Path

import pytest
from reconstruction_operator.contract.envelope import Envelope
from reconstruction_operator.contract.manifest import Manifest
from reconstruction_operator.contract.records import Owner
from reconstruction_operator.jobfiles import notes
from reconstruction_operator.jobfiles.layout import JobFolder, Workspace
from reconstruction_operator.jobfiles.manifest import seal
from reconstruction_operator.jobfiles.notes import Note

ENVELOPE = Envelope(install_id="mine", namespace="red", name="banana", attempt=2, queue="gpu")


def attempt(jobs_dir: Path, job_id: str, number: int) -> Workspace:
    root = jobs_dir / job_id / "attempts" / str(number)
    root.mkdir(parents=True)
    return Workspace(root)


def owners() -> list[Owner]:
    return [owner for _, owner in notes.surveyed() if owner is not None]


def test_a_result_names_its_owner_and_the_newest_attempt_counts(jobs_dir: Path) -> None:
    output = jobs_dir / "uid-1" / "output"
    output.mkdir(parents=True)
    seal(output, Manifest("uid-1", owner=Owner.of("uid-1", ENVELOPE)))
    assert [owner.attempt for owner in owners()] == [2]

    newer = Envelope(install_id="mine", namespace="red", name="banana", attempt=3)
    notes.note(attempt(jobs_dir, "uid-1", 3), Owner.of("uid-1", newer), "")
    assert [owner.attempt for owner in owners()] == [3]


def test_notes_and_results_name_the_uri_of_the_copy(jobs_dir: Path) -> None:
    owner = Owner.of("uid-1", ENVELOPE)
    notes.note(attempt(jobs_dir, "uid-1", 1), owner, "file:///meshes/a")
    notes.note(attempt(jobs_dir, "uid-1", 2), owner, "")
    assert notes.deliveries(JobFolder.of("uid-1")) == (Note(owner, "file:///meshes/a", published=False),)

    output = jobs_dir / "uid-1" / "output"
    output.mkdir()
    seal(output, Manifest("uid-1", uri="file:///meshes/a", owner=owner))
    assert notes.deliveries(JobFolder.of("uid-1")) == (Note(owner, "file:///meshes/a", published=True, of_result=True),)


def test_a_copy_is_of_a_published_result_unless_a_run_may_have_left_it(jobs_dir: Path) -> None:
    owner, uri = Owner.of("uid-1", ENVELOPE), "file:///meshes/a"
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
        json.dumps(Owner.of("uid-2", ENVELOPE).to_json()),  # copied from another job
        json.dumps(Owner.of("uid-1", ENVELOPE).to_json() | {"attempt": True}),
        json.dumps(Owner.of("uid-1", ENVELOPE).to_json() | {"attempt": 0}),
        json.dumps(Owner.of("uid-1", ENVELOPE).to_json() | {"queue": 7}),
        json.dumps(Owner.of("uid-1", ENVELOPE).to_json() | {"jobId": "../uid-1"}),
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
    seal(jobs_dir / "bare" / "output", Manifest("bare"))
    (jobs_dir / "a-file").write_text("")
    (jobs_dir / "input-only" / "input").mkdir(parents=True)

    assert owners() == []


def test_a_result_under_another_jobs_name_has_no_owner(jobs_dir: Path) -> None:
    for name in ("other", f".deleted-uid-1-{'0' * 32}", ".deleted-uid-1"):
        output = jobs_dir / name / "output"
        output.mkdir(parents=True)
        seal(output, Manifest("uid-1", owner=Owner.of("uid-1", ENVELOPE)))

    assert owners() == []
