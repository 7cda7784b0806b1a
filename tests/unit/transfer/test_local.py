"""Local inputs: what a message about a missing folder reveals, and what it must not reveal."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from reconstruction_operator.transfer import local
from reconstruction_operator.transfer.errors import StorageError
from reconstruction_operator.transfer.limits import Limits


@pytest.fixture
def photos(limits: Limits) -> Path:
    """With banana, lund, vase.zip, and things that are no inputs."""
    root = limits.roots[0]
    for name in ("banana", "lund", ".hidden"):
        (root / name).mkdir()
    for name in ("vase.zip", "notes.txt"):
        (root / name).touch()
    return root


def missing(path: Path, limits: Limits) -> str:
    with pytest.raises(StorageError) as caught:
        local.permitted(path, f"file://{path}", limits)
    assert caught.value.reason == "INPUT_NOT_FOUND"
    return caught.value.message


def test_missing_folder_is_named_with_what_lies_beside_it(photos: Path, limits: Limits) -> None:
    text = missing(photos / "bananna", limits)
    assert text == f"there is no file://{photos}/bananna on this worker; {photos} has: banana, lund, vase.zip"


def test_missing_folder_in_a_missing_folder_shows_where_the_path_ends(photos: Path, limits: Limits) -> None:
    assert missing(photos / "no" / "set", limits).endswith(f"; {photos} has: banana, lund, vase.zip")


def test_an_empty_folder_is_called_empty(limits: Limits) -> None:
    assert missing(limits.roots[0] / "set", limits).endswith(f"; {limits.roots[0]} is empty")


def test_only_the_first_of_many_neighbours_are_shown(photos: Path, limits: Limits) -> None:
    for number in range(20):
        (photos / f"set-{number}").mkdir()
    assert missing(photos / "no", limits).endswith("has: banana, lund, set-0, set-1, set-2, set-3, set-4, set-5, …")


def test_neighbours_are_named_as_addresses_name_them(tmp_path: Path, photos: Path, limits: Limits) -> None:
    named = replace(limits, aliases=((Path("/nas"), photos),))
    assert missing(Path("/nas/set"), named).endswith("; /nas has: banana, lund, vase.zip")


def test_names_of_other_tenants_are_never_shown(photos: Path, limits: Limits) -> None:
    tenant = replace(limits, namespace="maps", granted=(f"{photos}/maps",))
    assert missing(photos / "maps" / "set", tenant) == f"there is no file://{photos}/maps/set on this worker"


def test_folder_that_may_not_be_listed_shows_no_neighbours(
    photos: Path, limits: Limits, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: Path) -> None:
        raise PermissionError

    monkeypatch.setattr("os.scandir", refuse)
    assert missing(photos / "no", limits) == f"there is no file://{photos}/no on this worker"
