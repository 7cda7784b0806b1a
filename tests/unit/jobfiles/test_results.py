"""Index of results: which entries are dropped."""

from collections.abc import Callable
from pathlib import Path

import pytest
from reconstruction_operator.jobfiles import layout, results
from reconstruction_operator.jobfiles.layout import JobFolder

from tests.support.refs import make_attempt
from tests.support.settings import configure

BANANA = make_attempt("banana-1", namespace="maps").job


@pytest.fixture(autouse=True)
def jobs_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    configure(monkeypatch, JOBS_DIR=str(tmp_path))
    return tmp_path


def test_an_entry_of_a_job_without_files_is_dropped(jobs_dir: Path) -> None:
    results.note(BANANA)
    results.drop_stale()

    assert not list(jobs_dir.iterdir())


@pytest.mark.parametrize(
    "place",
    [
        pytest.param(lambda: JobFolder.of(BANANA.job_id).root, id="job folder"),
        pytest.param(lambda: layout.trash_shard("maps", BANANA.job_id) / f"{BANANA.job_id}~1~1", id="trash"),
    ],
)
def test_an_entry_of_an_existing_result_is_kept(place: Callable[[], Path]) -> None:
    results.note(BANANA)
    place().mkdir(parents=True)
    results.drop_stale()

    assert [path.name for folder in layout.names().iterdir() for path in folder.iterdir()] == [BANANA.job_id]
