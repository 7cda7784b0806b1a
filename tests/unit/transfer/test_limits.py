"""INPUT_ROOTS: the folders that jobs may read, their aliases, and no overlap with the job folders."""

from pathlib import Path

import pytest
from reconstruction_operator.transfer import fetch
from reconstruction_operator.transfer.errors import StorageError
from reconstruction_operator.transfer.limits import Limits, overlap_with_jobs_dir

from tests.support.settings import configure


@pytest.fixture
def nas(tmp_path: Path) -> Path:
    folder = tmp_path / "nas"
    (folder / "banana").mkdir(parents=True)
    (folder / "banana" / "one.jpg").write_bytes(b"a photo")
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "one.jpg").write_bytes(b"not for jobs")
    return folder


def fetched(uri: str, tmp_path: Path) -> list[bytes]:
    into = tmp_path / "into"
    into.mkdir()
    return [
        photo.read_bytes()
        for photo in fetch.fetch(uri, into, into.with_name("fetched"), Limits.from_config(), lambda *_: None).photos
    ]


@pytest.mark.parametrize("uri", ["file:///photos/banana", "file://{nas}/banana"], ids=["alias", "path"])
def test_root_is_read_by_its_alias_and_by_its_path(
    uri: str, nas: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(monkeypatch, INPUT_ROOTS=(f"/photos={nas}",))
    assert fetched(uri.format(nas=nas), tmp_path) == [b"a photo"]


@pytest.mark.parametrize(
    "path",
    [
        pytest.param("/photos/banana/../../secret", id="from inside"),
        pytest.param("/photosynthesis", id="a longer name"),
        pytest.param("/photos/elsewhere", id="by a link"),
    ],
)
def test_no_path_leads_out_of_an_alias(path: str, nas: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (nas / "elsewhere").symlink_to(tmp_path / "secret")
    configure(monkeypatch, INPUT_ROOTS=(f"/photos={nas}",))
    with pytest.raises(StorageError, match="INPUT_REFUSED"):
        fetched(f"file://{path}", tmp_path)


def test_equals_sign_in_a_folder_name_does_not_make_an_alias(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "light=low"
    folder.mkdir()
    (folder / "one.jpg").write_bytes(b"a photo")
    configure(monkeypatch, INPUT_ROOTS=(str(folder),))
    assert fetched(f"file://{folder}", tmp_path) == [b"a photo"]


@pytest.mark.parametrize(
    ("setting", "root", "overlaps"),
    [
        pytest.param("INPUT_ROOTS", "photos", False, id="beside"),
        pytest.param("INPUT_ROOTS", "jobs-2", False, id="a longer name"),
        pytest.param("INPUT_ROOTS", "jobs", True, id="the same"),
        pytest.param("INPUT_ROOTS", "jobs/inbox", True, id="below"),
        pytest.param("INPUT_ROOTS", ".", True, id="above"),
        pytest.param("INPUT_ROOTS", "link", True, id="a link to it"),
        pytest.param("OUTPUT_ROOTS", "jobs", True, id="of results"),
    ],
)
def test_root_that_overlaps_the_job_folders_is_reported(
    setting: str, root: str, overlaps: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "jobs").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "jobs")
    configure(monkeypatch, **{"JOBS_DIR": str(tmp_path / "jobs"), setting: (str(tmp_path / root),)})
    assert bool(overlap_with_jobs_dir()) is overlaps
