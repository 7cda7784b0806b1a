"""Job files: the public layout, and unsafe job ids."""

from __future__ import annotations

from pathlib import Path

import pytest
from reconstruction_operator.services import file_handler


def test_the_folders_have_their_public_paths(jobs_dir: Path) -> None:
    assert file_handler.job_dir("test123") == jobs_dir / "test123"
    assert file_handler.input_dir("test123") == jobs_dir / "test123" / "input"
    assert file_handler.output_dir("test123") == jobs_dir / "test123" / "output"


BAD_IDS = ["", ".", "..", "a/b", "../a", "/etc", "a/../b", "a..b", "-a", "a-", "a\n", "a\x00", "a" * 129, "ä", None, 7]


@pytest.mark.parametrize("job_id", BAD_IDS, ids=repr)
def test_an_unsafe_job_id_never_becomes_a_path(job_id: str, jobs_dir: Path) -> None:
    (jobs_dir / "job").mkdir()
    for function in (
        file_handler.delete_job_files,
        file_handler.job_dir,
        file_handler.input_dir,
        file_handler.output_dir,
    ):
        with pytest.raises(ValueError, match="job id"):
            function(job_id)
    assert (jobs_dir / "job").exists()
