"""The index of results: what it finds, and what is removed from it."""

from pathlib import Path

import pytest
from reconstruction_operator.contract.records import Owner
from reconstruction_operator.jobfiles import layout, results
from reconstruction_operator.jobfiles.layout import JobFolder

from tests.support.settings import configure

BANANA = Owner(job_id="banana-1", install_id="install", namespace="maps", name="banana", queue="celery", attempt=1)


@pytest.fixture(autouse=True)
def jobs_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    configure(monkeypatch, JOBS_DIR=str(tmp_path))
    return tmp_path


def test_an_entry_of_a_job_without_files_is_dropped(jobs_dir: Path) -> None:
    results.note(BANANA)
    results.drop_stale()

    assert not list(jobs_dir.iterdir())


def test_an_entry_of_a_job_with_a_folder_is_kept() -> None:
    results.note(BANANA)
    JobFolder.of(BANANA.job_id).root.mkdir()
    results.drop_stale()

    assert [path.name for folder in layout.names().iterdir() for path in folder.iterdir()] == [BANANA.job_id]


def test_an_entry_of_a_result_in_the_trash_is_kept() -> None:
    results.note(BANANA)
    (layout.trash() / f"{BANANA.job_id}~1").mkdir(parents=True)
    results.drop_stale()

    assert [path.name for folder in layout.names().iterdir() for path in folder.iterdir()] == [BANANA.job_id]


def test_a_forgotten_job_has_no_entry(jobs_dir: Path) -> None:
    results.note(BANANA)
    results.forget(BANANA)

    assert not list(jobs_dir.iterdir())
