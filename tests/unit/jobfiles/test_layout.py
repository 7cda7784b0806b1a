"""Job folder: names of workspaces and tombstones."""

from __future__ import annotations

from pathlib import Path

import pytest
from reconstruction_operator.api.identity import AttemptRef
from reconstruction_operator.jobfiles.layout import JobFolder, Workspace

from tests.support.refs import make_attempt, make_bare


@pytest.mark.parametrize(
    ("name", "attempt"), [("2-0a1b2c3d", 2), ("10-x", 10), ("task-0a1b-0a1b2c3d", 0), (".gone-0a1b", 0), ("2x-1", 0)]
)
def test_a_workspace_is_named_after_its_attempt(name: str, attempt: int) -> None:
    assert Workspace(Path("/jobs/job/attempts") / name).attempt == attempt


@pytest.mark.usefixtures("jobs_dir")
@pytest.mark.parametrize("attempt", [make_attempt(), make_bare(task_id="any text / at all")], ids=["job", "bare"])
def test_workspaces_of_one_attempt_differ_and_name_the_attempt(attempt: AttemptRef) -> None:
    folder = JobFolder.of("job")
    first, second = (folder.new_workspace(attempt) for _ in range(2))
    assert first != second
    assert first.root.parent == folder.attempts
    assert all(workspace.is_of(attempt) for workspace in (first, second))
    assert not first.is_of(make_attempt(number=11))
    assert not first.is_of(make_bare(task_id="other"))
