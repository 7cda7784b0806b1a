"""Workspace: a run takes over files of earlier runs, and never of later ones."""

from __future__ import annotations

from pathlib import Path

import pytest
from reconstruction_operator.contract.attempt import SupersededError
from reconstruction_operator.jobfiles.layout import JobFolder, Workspace
from reconstruction_operator.jobfiles.publishing import publish
from reconstruction_operator.jobfiles.workspace import delete_predecessors, keep_for_the_next, prepare

from tests.support.refs import make_attempt, make_bare

pytestmark = pytest.mark.usefixtures("jobs_dir")


def test_an_earlier_attempt_does_not_start_beside_a_later_one() -> None:
    second = prepare(make_attempt(number=2))

    with pytest.raises(SupersededError):
        prepare(make_attempt(number=1))

    assert [folder.name for folder in second.root.parent.iterdir()] == [second.root.name]
    (second.output / "model.glb").write_text("of the second")
    assert publish(second, "job", replace=False) is None


def test_a_later_attempt_retires_earlier_runs_and_a_bare_task_its_own() -> None:
    first = prepare(make_attempt(number=1))
    bare = prepare(make_bare())
    second = prepare(make_attempt(number=2))
    again = prepare(make_bare())

    assert set(JobFolder.of("job").workspaces()) == {second, again}
    assert not first.root.exists()
    assert not bare.root.exists()


def test_predecessors_are_deleted_and_a_discarded_workspace_leaves_no_empty_folder(jobs_dir: Path) -> None:
    prepare(make_attempt(number=1))
    second = prepare(make_attempt(number=2))
    delete_predecessors("job", second)
    assert list(second.root.parent.iterdir()) == [second.root]
    second.discard()
    assert list(jobs_dir.iterdir()) == []


def test_only_fetched_files_and_the_owners_note_are_kept(jobs_dir: Path) -> None:
    space = prepare(make_attempt(number=1))
    assert not keep_for_the_next(space, stages=True)
    space.owner_note.write_text("{}")
    space.fetched.mkdir()
    (space.fetched / "0123").write_bytes(b"photo")
    assert keep_for_the_next(space, stages=True)
    assert sorted(path.name for path in space.root.iterdir()) == ["fetched", "owner.json"]


def keep_stages(space: Workspace, *names: str) -> None:
    for name in names:
        (space.stages / name).mkdir(parents=True)
        (space.stages / name / "data").write_text(f"{name} of {space.root.name}")


def test_sealed_stages_are_kept_if_useful_and_half_written_ones_never(jobs_dir: Path) -> None:
    space = prepare(make_attempt(number=1))
    keep_stages(space, "features", ".matches-0123")
    assert keep_for_the_next(space, stages=True)
    assert [path.name for path in space.stages.iterdir()] == ["features"]
    assert not keep_for_the_next(space, stages=False)


def test_a_successor_takes_over_whole_objects_and_sealed_stages(jobs_dir: Path) -> None:
    first = prepare(make_attempt(number=1))
    keep_stages(first, "features", ".matches-0123")
    first.fetched.mkdir()
    for name in ("0123", "4567.token.part"):
        (first.fetched / name).write_bytes(b"photo")
    second = prepare(make_attempt(number=2))
    delete_predecessors("job", second)
    assert [[path.name for path in folder.iterdir()] for folder in (second.stages, second.fetched)] == [
        ["features"],
        ["0123"],
    ]
    assert list(second.root.parent.iterdir()) == [second.root]
    with pytest.raises(FileNotFoundError):
        (first.stages / ".matches-0123").rename(first.stages / "matches")


def test_a_stage_of_two_earlier_runs_is_taken_over_once(jobs_dir: Path) -> None:
    first = prepare(make_attempt(number=1))
    keep_stages(first, "features")
    second = prepare(make_attempt(number=2))
    keep_stages(second, "features", "matches")
    third = prepare(make_attempt(number=3))
    delete_predecessors("job", third)
    assert sorted(path.name for path in third.stages.iterdir()) == ["features", "matches"]
    assert list(third.root.parent.iterdir()) == [third.root]
