"""Job folder: names of workspaces and tombstones."""

from __future__ import annotations

from pathlib import Path

import pytest
from reconstruction_operator.jobfiles.layout import JobFolder, Workspace


@pytest.mark.parametrize(
    ("name", "attempt"), [("2-0a1b2c3d", 2), ("10-x", 10), ("task-0a1b-0a1b2c3d", 0), (".gone-0a1b", 0), ("2x-1", 0)]
)
def test_a_workspace_is_named_after_its_attempt(name: str, attempt: int) -> None:
    assert Workspace(Path("/jobs/job/attempts") / name).attempt == attempt


@pytest.mark.usefixtures("jobs_dir")
@pytest.mark.parametrize(("task_id", "attempt"), [("job-1", 1), ("any text / at all", None)])
def test_workspaces_of_one_attempt_differ_and_name_the_attempt(task_id: str, attempt: int | None) -> None:
    folder = JobFolder.of("job")
    first, second = (folder.new_workspace(task_id, attempt) for _ in range(2))
    assert first != second
    assert first.root.parent == folder.attempts
    assert all(workspace.is_of(task_id, attempt) for workspace in (first, second))
    assert not first.is_of("other", 11)
    assert not first.is_of("other", None)
