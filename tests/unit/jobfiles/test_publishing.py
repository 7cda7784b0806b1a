"""Publishing: one rename makes a run's output the job's; only one of several concurrent runs publishes."""

from __future__ import annotations

from pathlib import Path

import pytest
from reconstruction_operator import disk
from reconstruction_operator.jobfiles.publishing import publish
from reconstruction_operator.jobfiles.workspace import prepare
from reconstruction_operator.services import file_handler

from tests.support.refs import make_attempt

pytestmark = pytest.mark.usefixtures("jobs_dir")


def test_an_earlier_result_that_cannot_be_deleted_is_still_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    def publish_of(attempt: int) -> None:
        workspace = prepare(make_attempt(number=attempt))
        (workspace.output / "model.glb").write_text(f"of {attempt}")
        assert publish(workspace, "job", replace=True) is None

    def refuse(path: Path) -> None:
        raise PermissionError(path)

    publish_of(1)
    with monkeypatch.context() as refusing:
        refusing.setattr(disk, "delete_tree", refuse)
        publish_of(2)

    assert (file_handler.output_dir("job") / "model.glb").read_text() == "of 2"
    assert file_handler.delete_job_files("job")
    assert not file_handler.job_dir("job").exists()


def test_a_file_in_the_place_of_the_output_is_replaced() -> None:
    file_handler.job_dir("job").mkdir(parents=True)
    file_handler.output_dir("job").write_text("no folder")
    workspace = prepare(make_attempt(number=1))
    (workspace.output / "model.glb").write_text("a mesh")

    assert publish(workspace, "job", replace=False) is None

    assert (file_handler.output_dir("job") / "model.glb").read_text() == "a mesh"
    assert sorted(entry.name for entry in file_handler.job_dir("job").iterdir()) == ["attempts", "output"]
