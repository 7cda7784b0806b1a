"""A run takes over from earlier runs, and never from a later one."""

from __future__ import annotations

from pathlib import Path

import pytest
from reconstruction_operator.contract.errors import OvertakenError
from reconstruction_operator.jobfiles.layout import JobFolder
from reconstruction_operator.jobfiles.publishing import publish
from reconstruction_operator.jobfiles.workspace import delete_predecessors, keep_fetched, prepare

pytestmark = pytest.mark.usefixtures("jobs_dir")


def test_earlier_attempt_does_not_start_beside_a_later_one() -> None:
    second = prepare("job", "job-2", 2)

    with pytest.raises(OvertakenError):
        prepare("job", "job-1", 1)

    assert [one.name for one in second.root.parent.iterdir()] == [second.root.name]
    (second.output / "model.glb").write_text("of the second")
    assert publish(second, "job", replace=False) is None


def test_later_attempt_retires_all_earlier_runs_and_a_bare_task_only_its_own() -> None:
    first, bare = prepare("job", "job-1", 1), prepare("job", "bare", None)
    second = prepare("job", "job-2", 2)
    again = prepare("job", "bare", None)

    assert set(JobFolder.of("job").workspaces()) == {second, again}
    assert not first.root.exists()
    assert not bare.root.exists()


def test_predecessors_are_deleted_and_a_discarded_workspace_leaves_no_empty_folder(jobs_dir: Path) -> None:
    prepare("job", "job-1", 1)
    second = prepare("job", "job-2", 2)
    delete_predecessors("job", second)
    assert list(second.root.parent.iterdir()) == [second.root]
    second.discard()
    assert list(jobs_dir.iterdir()) == []


def test_an_heir_takes_over_whole_fetched_files_and_no_partial_ones(jobs_dir: Path) -> None:
    first = prepare("job", "job-1", 1)
    first.fetched.mkdir()
    (first.fetched / "0123").write_bytes(b"photo")
    (first.fetched / "4567.token.part").write_bytes(b"half")
    second = prepare("job", "job-2", 2)
    delete_predecessors("job", second)
    assert [path.name for path in second.fetched.iterdir()] == ["0123"]
    assert list(second.root.parent.iterdir()) == [second.root]


def test_of_a_workspace_only_fetched_files_and_the_owner_are_kept(jobs_dir: Path) -> None:
    space = prepare("job", "job-1", 1)
    assert not keep_fetched(space)
    space.owner_note.write_text("{}")
    space.fetched.mkdir()
    (space.fetched / "0123").write_bytes(b"photo")
    assert keep_fetched(space)
    assert sorted(path.name for path in space.root.iterdir()) == ["fetched", "owner.json"]
