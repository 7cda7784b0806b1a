"""The user's photos in the demo: the job of their folder, and folders that are rejected."""

from __future__ import annotations

from pathlib import Path

import pytest

from demo import photos
from demo.places import DemoError, Places


def folder_of(parent: Path, name: str, files: int = 3) -> Path:
    folder = parent / name
    folder.mkdir()
    for number in range(files):
        (folder / f"{number}.jpg").write_bytes(b"")
    return folder


@pytest.mark.parametrize(
    ("name", "job"),
    [("My Vase (2)", "my-vase-2"), ("placeholder", "photos"), ("...", "photos"), ("v" * 80, "v" * 50)],
)
def test_the_job_of_a_folder_has_its_name(tmp_path: Path, name: str, job: str) -> None:
    assert photos.own(folder_of(tmp_path, name), Places(tmp_path)).job == job


@pytest.mark.parametrize("files", [None, 0], ids=["no-folder", "empty"])
def test_an_unsuitable_folder_is_rejected_at_once(tmp_path: Path, files: int | None) -> None:
    folder = tmp_path / "vase" if files is None else folder_of(tmp_path, "vase", files)

    with pytest.raises(DemoError, match=str(folder)):
        photos.own(folder, Places(tmp_path))
