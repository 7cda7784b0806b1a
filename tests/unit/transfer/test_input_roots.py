"""INPUT_ROOTS: the folders that jobs may read, and the names that manifests have for them."""

from pathlib import Path

import pytest
from reconstruction_operator.transfer import fetch
from reconstruction_operator.transfer.errors import StorageError
from reconstruction_operator.transfer.limits import Limits

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
    return [photo.read_bytes() for photo in fetch.fetch(uri, into, Limits.from_config(), lambda *_: None).photos]


def test_a_root_may_have_a_name_of_its_own_in_manifests(
    nas: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(monkeypatch, INPUT_ROOTS=(f"/photos={nas}",))
    assert fetched("file:///photos/banana", tmp_path) == [b"a photo"]


def test_a_root_with_a_name_may_be_read_by_its_own_path_as_well(
    nas: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(monkeypatch, INPUT_ROOTS=(f"/photos={nas}",))
    assert fetched(f"file://{nas}/banana", tmp_path) == [b"a photo"]


@pytest.mark.parametrize(
    "path",
    [
        pytest.param("/photos/../secret", id="beside the name"),
        pytest.param("/photos/banana/../../secret", id="from inside"),
        pytest.param("/photosynthesis", id="a longer name"),
    ],
)
def test_no_path_leads_out_of_a_root_with_a_name(
    path: str, nas: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(monkeypatch, INPUT_ROOTS=(f"/photos={nas}",))
    with pytest.raises(StorageError, match="INPUT_REFUSED"):
        fetched(f"file://{path}", tmp_path)


def test_a_link_out_of_a_root_with_a_name_is_refused(
    nas: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (nas / "elsewhere").symlink_to(tmp_path / "secret")
    configure(monkeypatch, INPUT_ROOTS=(f"/photos={nas}",))
    with pytest.raises(StorageError, match="INPUT_REFUSED"):
        fetched("file:///photos/elsewhere", tmp_path)


def test_an_equals_sign_in_the_name_of_a_folder_is_no_alias(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "light=low"
    folder.mkdir()
    (folder / "one.jpg").write_bytes(b"a photo")
    configure(monkeypatch, INPUT_ROOTS=(str(folder),))
    assert fetched(f"file://{folder}", tmp_path) == [b"a photo"]
