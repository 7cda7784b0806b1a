"""Kept stages: which the next attempt and other jobs use; linked, limited, and deleted with their job."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest
from reconstruction_operator import disk
from reconstruction_operator.contract.outcomes import Outcome
from reconstruction_operator.contract.records import End
from reconstruction_operator.jobfiles import kept_stages, layout
from reconstruction_operator.jobfiles.kept_stages import Kept, Origin, RunStages, of_namespace
from reconstruction_operator.jobfiles.layout import Workspace

from tests.support.deep_folders import make_deep
from tests.support.refs import make_attempt
from tests.support.settings import configure

DAY = 86_400
CRASHED = End(Outcome.FAILED, "BACKEND_CRASHED")
STAGE_BYTES = 4 * 4096  # of one file in three folders


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    configure(monkeypatch, STAGES_MAX_BYTES=5 * STAGE_BYTES // 2)
    return tmp_path / ".stages"


def keep(
    folder: Path, job_id: str, digest: str = "d1", *, seconds: int = DAY, size: int = 1000, tenant: str = ""
) -> None:
    """Keep one stage, whose file is in a folder of its own. There is room for two and a half."""
    stage = folder.parent / job_id / "features~k1"
    (stage / "below").mkdir(parents=True)
    (stage / "below" / "features.db").write_bytes(b"f" * size)
    with pytest.MonkeyPatch.context() as patch:
        configure(patch, KEEP_STAGES_SECONDS=seconds)
        kept_stages.keep(folder, stage.parent, digest, job_id, tenant=tenant)


def jobs(folder: Path) -> list[str]:
    return sorted(kept.job_id for kept in kept_stages.entries(folder))


def test_the_stages_of_the_same_digest_are_linked_and_survive_their_deletion(folder: Path, tmp_path: Path) -> None:
    keep(folder, "job-1")
    keep(folder, "job-2", "d2")
    kept_stages.link(folder, "d1", tmp_path / "run")
    kept_stages.link(folder, "d1", tmp_path / "run")
    kept_stages.forget(folder, "job-1")
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["features~k1"]
    assert (tmp_path / "run" / "features~k1" / "below" / "features.db").read_bytes() == b"f" * 1000
    assert jobs(folder) == ["job-2"]


@pytest.mark.parametrize("newest", range(5))
def test_the_newest_stages_are_linked(folder: Path, tmp_path: Path, newest: int) -> None:
    for number in range(5):
        keep(folder, f"job-{number}", seconds=DAY + 600 * (number == newest), size=number)
    kept_stages.link(folder, "d1", tmp_path / "run")
    assert (tmp_path / "run" / "features~k1" / "below" / "features.db").stat().st_size == newest


def refuse(*_: object, **__: object) -> None:
    raise OSError


def test_stages_are_copied_between_file_systems(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(os, "rename", refuse)
        keep(folder, "job-1")
    monkeypatch.setattr(os, "link", refuse)
    kept_stages.link(folder, "d1", tmp_path / "run")
    assert (tmp_path / "run" / "features~k1" / "below" / "features.db").read_bytes() == b"f" * 1000


def test_a_stage_that_cannot_be_copied_is_left_out(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(folder, "job-1")
    for module, name in ((os, "link"), (shutil, "copy2")):
        monkeypatch.setattr(module, name, refuse)
    kept_stages.link(folder, "d1", tmp_path / "run")
    assert list((tmp_path / "run").iterdir()) == []


def keep_of(folder: Path, job_id: str, photos: str, family: str = "f1", tenant: str = "") -> None:
    for name in ("features", "surface"):
        (folder.parent / job_id / f"{name}~{job_id}").mkdir(parents=True)
    origin = Origin(family, tuple(photos))
    kept_stages.keep(folder, folder.parent / job_id, f"d-{job_id}", job_id, tenant=tenant, origin=origin)


@pytest.mark.parametrize(
    ("photos", "tenant", "linked"),
    [
        pytest.param("abcd", "", ["features~job-2"], id="most-photos-in-common"),
        pytest.param("xyz", "", [], id="none-in-common"),
        pytest.param("abcd", "red", ["features~job-4"], id="of-the-tenant"),
    ],
)
def test_shared_stages_of_the_run_with_most_photos_in_common_are_linked(
    folder: Path, monkeypatch: pytest.MonkeyPatch, photos: str, tenant: str, linked: list[str]
) -> None:
    configure(monkeypatch, STAGES_MAX_BYTES=100 * STAGE_BYTES)
    keep_of(folder, "job-1", "ab")
    keep_of(folder, "job-2", "abc")
    keep_of(folder, "job-3", "abcd", "f2")
    keep_of(folder, "job-4", "a", tenant="red")
    keep(folder, "job-5")
    kept_stages.link_related(folder, Origin("f1", tuple(photos)), ["features"], folder.parent / "run", tenant=tenant)
    assert [path.name for path in disk.entries(folder.parent / "run")] == linked


def test_no_related_stage_is_linked_beside_one_of_that_name(folder: Path, tmp_path: Path) -> None:
    keep_of(folder, "job-1", "ab")
    (tmp_path / "run" / "features~own").mkdir(parents=True)
    kept_stages.link_related(folder, Origin("f1", ("a",)), ["features"], tmp_path / "run")
    assert [path.name for path in disk.entries(tmp_path / "run")] == ["features~own"]


def test_an_unfinished_stage_does_not_count(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "job-1" / ".half").mkdir(parents=True)
    (tmp_path / "job-1" / ".half" / "large").write_bytes(b"l" * 3000)
    keep(folder, "job-1")
    (entry,) = kept_stages.entries(folder)
    assert (entry.bytes, [path.name for path in entry.path.iterdir()]) == (STAGE_BYTES, ["features~k1"])


def test_links_in_a_stage_are_not_followed(folder: Path, tmp_path: Path) -> None:
    keep(folder, "job-1")
    (entry,) = kept_stages.entries(folder)
    (entry.path / "features~k1" / "etc").symlink_to("/etc")
    kept_stages.link(folder, "d1", tmp_path / "run")
    assert (tmp_path / "run" / "features~k1" / "etc").is_symlink()


def test_the_oldest_stages_beyond_the_limit_are_deleted(folder: Path) -> None:
    for number in (3, 1, 2):
        keep(folder, f"job-{number}", seconds=DAY + number)
    assert jobs(folder) == ["job-2", "job-3"]
    keep(folder, "job-4", size=3 * STAGE_BYTES)
    assert jobs(folder) == ["job-2", "job-3"]


@pytest.mark.parametrize(("free", "short", "kept"), [(STAGE_BYTES, False, ["job-2"]), (1 << 40, True, [])])
def test_no_more_is_kept_than_the_disk_has_left(
    folder: Path, monkeypatch: pytest.MonkeyPatch, free: int, short: bool, kept: list[str]
) -> None:
    keep(folder, "job-1")
    monkeypatch.setattr(disk, "free_bytes", lambda _: free)
    monkeypatch.setattr(disk, "is_short", lambda _: short)
    keep(folder, "job-2", seconds=DAY + 1)
    assert jobs(folder) == kept


def test_a_tenant_that_keeps_much_expels_only_its_own_stages(folder: Path) -> None:
    keep(folder, "green-1", tenant="green")
    for number in range(5):
        keep(folder, f"red-{number}", seconds=DAY + number, tenant="red")
    assert jobs(folder) == ["green-1", "red-4"]


def test_no_more_than_256_are_kept_and_the_tenant_with_the_most_loses_its_oldest() -> None:
    many = [Kept(Path(f"red-{number}"), "red", "d", f"red-{number}", number, 1) for number in range(1_000, 2_000)]
    few = [Kept(Path("green-1"), "green", "d", "green-1", 1, 1_000)]
    gone = list(kept_stages.beyond([*many, *few], 1 << 30))
    assert [kept.until for kept in gone] == list(range(1_000, 1_745))


def test_stages_too_deep_to_copy_are_left_out_and_deleted(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    configure(monkeypatch, STAGES_MAX_BYTES=1 << 30)
    caplog.set_level("INFO")
    deep = tmp_path / "job-1" / "features~k1"
    make_deep(deep)
    kept_stages.keep(folder, deep.parent, "d1", "job-1")
    kept_stages.link(folder, "d1", tmp_path / "run")
    assert "of another job is not used" in caplog.text
    assert list((tmp_path / "run").iterdir()) == []
    kept_stages.forget(folder, "job-1")
    assert not folder.exists()


def test_expired_stages_are_deleted_and_other_files_stay(folder: Path) -> None:
    keep(folder, "job-1", seconds=100)
    keep(folder, "job-2", seconds=200)
    (folder / "notes.txt").write_text("of a person")
    kept_stages.expire(folder, time.time() + 150)
    assert (folder / "notes.txt").exists()
    assert jobs(folder) == ["job-2"]


def test_a_folder_without_stages_is_deleted(folder: Path) -> None:
    keep(folder, "job-1")
    kept_stages.forget(folder, "job-1")
    assert not folder.exists()


@pytest.fixture
def space(tmp_path: Path) -> Workspace:
    (tmp_path / "stages" / "features").mkdir(parents=True)
    return Workspace(tmp_path)


def digest(key: str = "key", namespace: str = "red", uid: str = "ns-1") -> str:
    return of_namespace(key, make_attempt(namespace=namespace, namespace_uid=uid).job)


def shared(space: Workspace, attempt: int = 1, uid: str = "ns-1") -> RunStages:
    """The stages of a run that other jobs may use."""
    run = RunStages(space, make_attempt("uid-1", attempt, namespace="red", namespace_uid=uid))
    run.share("key")
    return run


@pytest.mark.parametrize(
    ("identity", "names", "same"),
    [
        pytest.param("uid", ("other", "red", "ns-1"), False, id="another key"),
        pytest.param("uid", ("key", "blue", "ns-1"), False, id="another namespace"),
        pytest.param("uid", ("key", "red", "ns-2"), False, id="a later namespace of that name"),
        pytest.param("name", ("key", "red", "ns-2"), True, id="a later namespace where names decide"),
    ],
)
def test_stages_are_found_by_their_key_in_their_namespace(
    identity: str, names: tuple[str, str, str], same: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(monkeypatch, NAMESPACE_IDENTITY=identity)
    assert (digest(*names) == digest()) is same


@pytest.mark.parametrize(
    ("end", "begun_with", "another", "expected"),
    [
        pytest.param(CRASHED, ["features"], False, False, id="crashed-after-resuming"),
        pytest.param(CRASHED, ["features"], True, True, id="crashed-in-a-later-stage"),
        pytest.param(CRASHED, [], True, True, id="crashed-from-the-beginning"),
        pytest.param(End(Outcome.FAILED, "OUT_OF_MEMORY"), ["features"], False, True, id="too-little-memory"),
        pytest.param(End(Outcome.STOPPED, "SUSPENDED"), ["features"], False, True, id="suspended"),
    ],
)
def test_a_stage_that_may_have_caused_a_crash_is_not_used_again(
    space: Workspace, end: End, begun_with: list[str], another: bool, expected: bool
) -> None:
    if not begun_with:
        (space.stages / "features").rmdir()
    run = RunStages(space, make_attempt("uid-1"))
    if another:
        (space.stages / "matches").mkdir()
    assert run.are_useful(end) is expected


@pytest.fixture
def kept(jobs_dir: Path, tmp_path: Path) -> Path:
    """The stages of a job with the same photos, kept for others."""
    stage = tmp_path / "other" / "matches"
    stage.mkdir(parents=True)
    kept_stages.keep(layout.kept_stages(), stage.parent, digest(), "uid-0")
    return jobs_dir / ".stages"


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.mark.parametrize(("attempt", "expected"), [(1, {"features", "matches"}), (2, {"features"})])
def test_only_the_first_attempt_uses_a_stage_of_another_job_which_may_cause_a_crash(
    space: Workspace, kept: Path, attempt: int, expected: set[str]
) -> None:
    run = shared(space, attempt=attempt)
    assert names(space.stages) == expected
    assert not run.are_useful(CRASHED)
    assert len(names(kept)) == 1


def test_a_job_of_the_namespace_uses_shared_stages_of_another_with_some_of_its_photos(
    space: Workspace, jobs_dir: Path
) -> None:
    def run(uid: str, key: str, photos: str, folder: Path, namespace_uid: str = "ns-1") -> RunStages:
        stages = RunStages(Workspace(folder), make_attempt(uid, namespace="red", namespace_uid=namespace_uid))
        stages.share(key, Origin("family", tuple(photos)), ["features"])
        return stages

    (jobs_dir / "uid-1" / "output").mkdir(parents=True)
    run("uid-1", "key 1", "ab", space.root).keep()
    for uid, namespace_uid, expected in (("uid-2", "ns-1", {"features"}), ("uid-3", "ns-2", set())):
        (space.root / uid / "stages").mkdir(parents=True)
        run(uid, "key 2", "bc", space.root / uid, namespace_uid)
        assert names(space.root / uid / "stages") == expected


@pytest.mark.parametrize(("deleted", "jobs"), [(False, {"uid-0", "uid-1"}), (True, {"uid-0"})])
def test_a_deleted_job_keeps_no_stages(
    space: Workspace, kept: Path, jobs_dir: Path, deleted: bool, jobs: set[str]
) -> None:
    run = shared(space)
    if not deleted:
        (jobs_dir / "uid-1" / "output").mkdir(parents=True)
    run.keep()
    assert {entry.job_id for entry in kept_stages.entries(kept)} == jobs


def test_a_job_whose_namespace_is_not_known_keeps_no_stages_and_uses_none(space: Workspace, jobs_dir: Path) -> None:
    (jobs_dir / "uid-1" / "output").mkdir(parents=True)
    run = shared(space, uid="")
    run.keep()
    assert not (jobs_dir / ".stages").exists()


@pytest.mark.parametrize("seconds", [0, 60])
def test_stages_are_kept_for_the_time_of_the_settings(
    space: Workspace, jobs_dir: Path, monkeypatch: pytest.MonkeyPatch, seconds: int
) -> None:
    configure(monkeypatch, KEEP_STAGES_SECONDS=seconds)
    (jobs_dir / "uid-1" / "output").mkdir(parents=True)
    run = shared(space)
    before = time.time()
    run.keep()
    untils = [entry.until for entry in kept_stages.entries(jobs_dir / ".stages")]
    assert untils == ([pytest.approx(before + 60, abs=5)] if seconds else [])
