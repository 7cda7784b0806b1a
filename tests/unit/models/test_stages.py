"""Stages: sealed by one rename, and used only if complete and for the key that they were made with."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from reconstruction_operator.models.interface import StageElsewhere, StageFolder
from reconstruction_operator.models.seals import SEAL
from reconstruction_operator.models.stage_functions import stage, stage_folder
from reconstruction_operator.models.stages import Stages


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
    assert (stage.path, str(stage)) == (path, "features of attempt 1")
    assert (stage.path / "below" / "features.db").read_bytes() == b"descriptors"


@pytest.mark.parametrize(("job", "text"), [("banana", "features of job banana"), ("", "features of an earlier run")])
def test_the_stage_of_another_job_names_the_job(folder: StageFolder, job: str, text: str) -> None:
    keep(replace(folder, job_id="1", job=job))
    assert str(Stages(replace(folder, job_id="2", job="apple")).find("features")) == text


def test_a_stage_fits_runs_with_the_same_key_and_the_parameters_that_it_reads(folder: StageFolder) -> None:
    parameters = {"size": 1, "faces": 2}

    def stages(**changes: object) -> Stages:
        return Stages(folder, lambda _: (parameters | changes)["size"])

    stages().seal("photos", stages().begin("photos"))
    assert stages(faces=3).find("photos") is not None
    assert stages(size=2).find("photos") is None
    assert Stages(replace(folder, key="other"), lambda _: 1).find("photos") is None
    assert stages().find("photos") is not None


def test_a_stage_fits_only_the_contents_that_it_rests_on(folder: StageFolder) -> None:
    first = Stages(folder)
    first.seal("cameras", first.begin("cameras"))
    first.rest_on("cameras")
    first.seal("depths", first.begin("depths"))
    assert Stages(folder).find("depths") is None

    second = Stages(folder)
    second.rest_on("cameras")
    assert second.find("depths") is not None

    keep(folder, "cameras", b"other")
    third = Stages(folder)
    third.rest_on("cameras")
    assert third.find("depths") is None


def test_equal_contents_have_equal_digests_whoever_made_them(folder: StageFolder, tmp_path: Path) -> None:
    def made(attempt: int, depths: bytes) -> Stages:
        stages = Stages(StageFolder(tmp_path / f"{attempt}", "key", attempt=attempt, job_id=f"{attempt}"))
        for name, content in (("cameras", b"same"), ("depths", depths)):
            written = stages.begin(name)
            (written / "a.npz").write_bytes(content)
            stages.seal(name, written)
        return stages

    first = made(1, b"same")
    second = made(2, b"same")
    third = made(3, b"other")
    assert list(first.digests) == ["cameras", "depths"]
    assert first.digests == second.digests
    assert first.digests["cameras"] == third.digests["cameras"]
    assert first.digests["depths"] != third.digests["depths"]
    assert len(set(first.digests.values())) == 1  # the name is no part of the content

    found = Stages(StageFolder(tmp_path / "1", "key", attempt=2))
    found.find("depths")
    assert list(found.digests.items()) == list(first.digests.items())  # also that of a stage that is not read


def test_a_replaced_stage_keeps_its_digest_in_the_one_after_it(folder: StageFolder) -> None:
    stages = Stages(folder)
    for name in ("features", "matches"):
        stages.keep(name, lambda at, name=name: (at / "a.txt").write_text(name), replaces=("features",))
    stages.keep("cameras", lambda at: (at / "a.txt").write_text("cameras"), replaces=("matches",))

    later = Stages(folder)
    assert later.find("features") is later.find("matches") is None
    assert later.find("cameras")
    assert later.digests == stages.digests
    assert list(later.digests) == ["features", "matches", "cameras"]


def test_a_stage_too_large_to_be_kept_has_a_digest_too(folder: StageFolder) -> None:
    stages = Stages(replace(folder, max_bytes=3))
    written = stages.begin("depths")
    (written / "a.npz").write_bytes(b"four")
    stages.seal("depths", written)
    assert stages.find("depths") is None
    assert list(stages.digests) == ["depths"]


def test_nothing_fits_what_rests_on_a_stage_that_was_not_written(folder: StageFolder) -> None:
    for _ in range(2):
        stages = Stages(folder)
        stages.rest_on("cameras")
        assert stages.find("depths") is None
        stages.seal("depths", stages.begin("depths"))


def test_stages_that_a_run_did_not_use_are_dropped(folder: StageFolder) -> None:
    keep(folder, "photos")
    keep(folder, "cameras")
    stages = Stages(folder)
    stages.find("photos")
    stages.seal("depths", stages.begin("depths"))
    stages.drop_others()
    assert sorted(path.name.partition("~")[0] for path in folder.path.iterdir()) == ["depths", "photos"]


def test_a_related_stage_is_of_other_photos_and_of_the_same_model_and_parameters(folder: StageFolder) -> None:
    def stages(key: str, family: str = "model 1", reads: object = 1) -> Stages:
        return Stages(replace(folder, key=key, family=family, job_id=key, job=key), lambda _: reads)

    other = stages("others")
    path = other.seal("features", other.begin("features"))
    found = stages("own").related("features")
    assert found is not None
    assert (found.path, str(found)) == (path, "features of job others")
    assert stages("own").find("features") is None
    assert stages("others").related("features") is None, "it is the same"
    for unrelated in (stages("own", "model 2"), stages("own", reads=2), stages("own", "")):
        assert unrelated.related("features") is None

    (path / SEAL).write_text("{")
    assert stages("own").related("features") is None


def change_name(path: Path) -> None:
    seal = json.loads((path / SEAL).read_text())
    (path / SEAL).write_text(json.dumps(seal | {"stage": "other"}))


def replace_by_link(path: Path) -> None:
    file = path / "below" / "features.db"
    file.symlink_to(file.rename(path.parent / "features.db"))


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(change_name, id="of-another-name"),
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
    first = keep(small)
    second = keep(small, "matches")
    assert [path.name for path in folder.path.iterdir() if not path.name.startswith(".")] == [first.name]
    assert (second / "below" / "features.db").read_bytes() == b"descriptors"
    assert Stages(small).find("matches") is None


def test_a_dropped_stage_frees_space_for_another(folder: StageFolder) -> None:
    small = replace(folder, max_bytes=15)
    keep(small)
    Stages(small).drop("features")
    assert keep(small, "matches").name.startswith("matches~")


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
    before = events[: events.index("rename")]
    after = events[events.index("rename") + 1 :]
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


@dataclass(frozen=True, slots=True)
class Run:
    """A run that has only stages."""

    stages: Stages


def write(folder: Path, text: str) -> None:
    (folder / "text").write_text(text)


def read(folder: Path) -> str:
    text = (folder / "text").read_text()
    if text == "damaged":
        raise ValueError(text)
    return text


@stage_folder("parts")
def parts(_: Run, folder: Path, text: str) -> None:
    """Write the text."""
    write(folder, text)


@stage("whole", write, read, replaces=("parts",))
def whole(_: Run, text: str) -> str:
    """Return the text."""
    return text


@stage("basis", write, read, is_basis=True)
def basis(_: Run, text: str) -> str:
    """Return the text."""
    return text


@pytest.mark.parametrize(("first", "second"), [("first", "first"), ("damaged", "second")])
def test_what_a_function_with_a_stage_returned_is_read_back_unless_damaged(
    folder: StageFolder, first: str, second: str
) -> None:
    assert whole(Run(Stages(folder)), first) == first
    assert whole(Run(Stages(folder)), "second") == second


def test_the_folder_of_a_stage_is_filled_once(folder: StageFolder) -> None:
    for text in ("first", "second"):
        assert read(parts(Run(Stages(folder)), text)) == "first"


def test_a_stage_deletes_those_that_it_replaces(folder: StageFolder) -> None:
    run = Run(Stages(folder))
    parts(run, "first")
    whole(run, "first")
    assert run.stages.find("parts") is None


def test_the_keys_of_stages_made_after_a_basis_depend_on_it(folder: StageFolder) -> None:
    run = Run(Stages(folder))
    basis(run, "first")
    whole(run, "first")
    run = Run(Stages(folder))
    assert run.stages.find("whole") is None
    basis(run, "second")  # reads the first one back
    assert whole(run, "second") == "second"
    run.stages.rest_on("basis")
    assert run.stages.find("whole") is not None


def test_a_folder_too_large_to_be_kept_is_still_read(folder: StageFolder) -> None:
    assert read(parts(Run(Stages(replace(folder, max_bytes=3))), "first")) == "first"


FOLLOWS = {"photos": "alignment", "cameras": "depth", "depths": "texture"}


def test_a_run_ends_once_the_stage_before_that_of_another_queue_is_sealed(folder: StageFolder) -> None:
    away = Stages(replace(folder, elsewhere={"depth": "gpu"}), follows=FOLLOWS)
    away.made("photos", lambda _: None)

    with pytest.raises(StageElsewhere, match="depth"):
        away.keep("cameras", lambda _: None)

    assert Stages(folder).find("cameras") is not None


def test_a_run_goes_on_where_a_later_stage_is_finished_or_nothing_could_be_kept(folder: StageFolder) -> None:
    keep(folder, "depths")
    Stages(replace(folder, elsewhere={"depth": "gpu"}), follows=FOLLOWS).made("cameras", lambda _: None)

    full = replace(folder, path=folder.path.with_name("full"), max_bytes=0, elsewhere={"alignment": "gpu"})
    made = Stages(full, follows=FOLLOWS).made("photos", lambda written: (written / "a.jpg").write_bytes(b"photo"))
    assert (made / "a.jpg").exists()
