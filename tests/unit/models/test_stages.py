"""Stages: sealed by one rename, and used only if complete and for the key that they were made with."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from reconstruction_operator.models.interface import StageFolder
from reconstruction_operator.models.stages import SEAL, Stages


@pytest.fixture
def folder(tmp_path: Path) -> StageFolder:
    return StageFolder(tmp_path / "stages", "key", attempt=1)


def keep(folder: StageFolder, name: str = "features", content: bytes = b"descriptors") -> Path:
    stages = Stages(folder)
    written = stages.begin(name)
    (written / "below").mkdir()
    (written / "below" / "features.db").write_bytes(content)
    return stages.seal(name, written)


def test_a_later_attempt_finds_a_sealed_stage_and_its_maker(folder: StageFolder) -> None:
    path = keep(folder)
    stage = Stages(replace(folder, attempt=2)).find("features")
    assert stage is not None
    assert (stage.path, stage.attempt, str(stage)) == (path, 1, "features of attempt 1")
    assert (stage.path / "below" / "features.db").read_bytes() == b"descriptors"


def change_key(path: Path) -> None:
    seal = json.loads((path / SEAL).read_text())
    (path / SEAL).write_text(json.dumps(seal | {"key": "other"}))


def replace_by_link(path: Path) -> None:
    file = path / "below" / "features.db"
    file.symlink_to(file.rename(path.parent / "features.db"))


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(change_key, id="of-another-key"),
        pytest.param(lambda path: (path / SEAL).unlink(), id="without-a-seal"),
        pytest.param(lambda path: (path / SEAL).write_text("{"), id="with-half-a-seal"),
        pytest.param(lambda path: (path / "below" / "features.db").write_bytes(b"descriptorz"), id="changed"),
        pytest.param(lambda path: (path / "below" / "features.db").write_bytes(b"desc"), id="cut-off"),
        pytest.param(lambda path: (path / "below" / "features.db").unlink(), id="incomplete"),
        pytest.param(lambda path: (path / "features.db-wal").write_bytes(b"more"), id="with-one-file-more"),
        pytest.param(replace_by_link, id="with-a-link"),
    ],
)
def test_a_stage_that_cannot_be_trusted_is_deleted(folder: StageFolder, spoil: Callable[[Path], object]) -> None:
    path = keep(folder)
    spoil(path)
    assert Stages(folder).find("features") is None
    assert not path.exists()


def test_a_stage_over_the_limit_stays_usable_and_is_not_sealed(folder: StageFolder) -> None:
    small = replace(folder, max_bytes=15)
    first, second = keep(small), keep(small, "matches")
    assert [path.name for path in folder.path.iterdir() if not path.name.startswith(".")] == [first.name]
    assert (second / "below" / "features.db").read_bytes() == b"descriptors"
    assert Stages(small).find("matches") is None


def test_a_dropped_stage_frees_space_for_another(folder: StageFolder) -> None:
    small = replace(folder, max_bytes=15)
    keep(small)
    Stages(small).drop("features")
    assert keep(small, "matches").name == "matches"


def test_files_are_on_the_disk_before_the_stage_gets_its_name(
    folder: StageFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []
    fsync, rename = os.fsync, Path.rename

    def flush(descriptor: int) -> None:
        events.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        fsync(descriptor)

    def move(path: Path, target: Path) -> Path:
        events.append("rename")
        return rename(path, target)

    monkeypatch.setattr(os, "fsync", flush)
    monkeypatch.setattr(Path, "rename", move)
    keep(folder)
    before, after = events[: events.index("rename")], events[events.index("rename") + 1 :]
    assert {"features.db", "below", SEAL} <= set(before)
    assert before[-1].startswith(".features-")
    assert after == ["stages"]


def test_a_run_does_not_recreate_a_folder_that_was_moved_away(tmp_path: Path) -> None:
    folder = StageFolder(tmp_path / "attempt" / "stages", "key")
    with pytest.raises(FileNotFoundError):
        Stages(folder).begin("features")
    (tmp_path / "attempt").mkdir()
    written = Stages(folder).begin("features")
    (tmp_path / "attempt").rename(tmp_path / ".gone-attempt")
    with pytest.raises(FileNotFoundError):
        Stages(folder).seal("features", written)
    assert not (tmp_path / "attempt").exists()


def test_a_later_seal_of_a_stage_replaces_the_earlier_one(folder: StageFolder) -> None:
    keep(folder)
    path = keep(folder, content=b"other")
    assert (path / "below" / "features.db").read_bytes() == b"other"


@pytest.mark.parametrize("name", ["", "../x", "A", ".x", "a/b", "a" * 33])
def test_an_invalid_name_is_refused(folder: StageFolder, name: str) -> None:
    with pytest.raises(ValueError, match="is not a stage name"):
        Stages(folder).begin(name)
