"""Trash: results of deleted jobs, moved in and out by renames. Index of results: what it finds."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from itertools import chain
from pathlib import Path

import pytest
from reconstruction_operator.api.identity import AttemptRef
from reconstruction_operator.contract.manifest import Manifest
from reconstruction_operator.jobfiles import layout, results, trash, trashed
from reconstruction_operator.jobfiles import manifest as manifests
from reconstruction_operator.jobfiles.folder_deletion import delete_job_files
from reconstruction_operator.jobfiles.layout import JobFolder

from tests.support.refs import make_attempt, make_bare
from tests.support.settings import configure

UNTIL = 2_000_000_000


def attempt_of(job_id: str, **of: str) -> AttemptRef:
    return make_attempt(job_id, **{"namespace": "red", "namespace_uid": "ns-1"} | of)


NEW = attempt_of("uid-new").job
"""A job that is created again."""


def publish(job_id: str, *, retain_seconds: int = 0, owned: bool = True, **of: str) -> JobFolder:
    """Make a job's folder with a sealed result and a workspace."""
    folder = JobFolder.of(job_id)
    folder.output.mkdir(parents=True)
    (folder.attempts / "1-abcdefgh").mkdir(parents=True)
    (folder.output / "model.glb").write_bytes(b"mesh")
    attempt = attempt_of(job_id, **of) if owned else make_bare(job_id)
    files = manifests.describe_files(folder.output, lambda: None)
    manifests.seal(folder.output, Manifest(attempt, files=files, retain_seconds=retain_seconds))
    if owned:
        results.note(attempt.job)
    return folder


def note(job_id: str, at: int) -> None:
    """Add the entry of that job to the index, with that time."""
    results.note(attempt_of(job_id).job)
    (entry,) = layout.names().glob(f"*/{job_id}")
    os.utime(entry, (at, at))


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_only_the_result_of_a_deleted_job_stays_in_the_trash(jobs_dir: Path) -> None:
    publish("uid-1")
    assert delete_job_files("uid-1", retain_until=UNTIL)
    assert names(jobs_dir) == {".trash", ".names"}
    kept = trashed.find("red", "uid-1")
    assert kept is not None
    assert kept.path.is_relative_to(jobs_dir / ".trash" / "red")
    assert names(kept.path) == {"model.glb", "manifest.json"}
    assert kept.bytes == 3 * 4096  # the folder and two small files
    assert (kept.until, manifests.read_sealed(kept.path, "uid-1")) == (UNTIL, manifests.read(kept.path))


@pytest.mark.parametrize(
    "shared", [".deleted", layout.trash_shard("red", "uid-1").relative_to(layout.volume())], ids=str
)
def test_a_folder_of_all_jobs_that_vanishes_meanwhile_stops_no_deletion(
    shared: Path, jobs_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish("uid-1")
    (jobs_dir / shared).mkdir(parents=True)
    make = os.mkdir

    def late(path: Path, *mode: int) -> None:
        try:
            make(path, *mode)
        except FileExistsError:
            path.rmdir()  # another worker has just emptied it
            raise

    monkeypatch.setattr(os, "mkdir", late)

    assert delete_job_files("uid-1", retain_until=UNTIL)

    assert names(jobs_dir) == {".trash", ".names"}


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda output: (output / "manifest.json").unlink(), id="not-sealed"),
        pytest.param(lambda output: (output / "model.glb").write_bytes(b""), id="cut-off"),
    ],
)
def test_an_incomplete_result_is_deleted(spoil: Callable[[Path], object], jobs_dir: Path) -> None:
    folder = publish("uid-1")
    spoil(folder.output)
    assert delete_job_files("uid-1", retain_until=UNTIL)
    assert ".trash" not in names(jobs_dir)


def test_a_bare_tasks_result_is_deleted(jobs_dir: Path) -> None:
    publish("bare", owned=False)
    assert delete_job_files("bare", retain_until=UNTIL)
    assert names(jobs_dir) == set()


def test_a_deletion_interrupted_after_the_move_continues(jobs_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    publish("uid-1")

    def die(_folder: JobFolder) -> bool:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(JobFolder, "condemn", die)
        with pytest.raises(KeyboardInterrupt):
            delete_job_files("uid-1", retain_until=UNTIL)
    delete_job_files("uid-1", retain_until=UNTIL + 60)
    assert names(jobs_dir) == {".trash", ".names"}
    assert [kept.until for kept in trashed.entries()] == [UNTIL]
    assert [result.manifest.attempt.job_id for result in results.find(NEW)] == ["uid-1"]


def test_a_result_is_deleted_when_it_expires_and_not_before(jobs_dir: Path) -> None:
    for job_id, until in (("uid-1", UNTIL), ("uid-2", UNTIL + 1)):
        publish(job_id)
        delete_job_files(job_id, retain_until=until)
    assert trash.expire(UNTIL - 0.5) == 0
    assert trash.expire(UNTIL) == 1
    assert [kept.job_id for kept in trashed.entries()] == ["uid-2"]
    assert trash.expire(UNTIL + 1) == 1
    assert names(jobs_dir) == set()


def test_two_workers_may_empty_the_trash_at_the_same_time(jobs_dir: Path) -> None:
    publish("uid-1")
    delete_job_files("uid-1", retain_until=UNTIL)
    (kept,) = trashed.entries()
    assert trash.delete(kept)
    assert not trash.delete(kept)


def retain_many(namespace: str, count: int) -> list[str]:
    """Put that many results into the trash of the namespace, those with higher numbers to expire later; return the ids
    of their jobs.
    """
    job_ids = [f"{namespace}-{number}" for number in range(count)]
    for number, job_id in enumerate(job_ids):
        folder = layout.trash_shard(namespace, job_id) / f"{job_id}~{UNTIL + number}~4096"
        folder.mkdir(parents=True)
        manifests.seal(folder, Manifest(attempt_of(job_id, namespace=namespace, name=f"name-{number}")))
    return job_ids


def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list of all names that are listed from now on."""
    listed: list[str] = []
    list_names = os.listdir

    def listdir(path: Path) -> list[str]:
        names = list_names(path)
        listed.extend(names)
        return names

    monkeypatch.setattr(os, "listdir", listdir)
    return listed


def test_a_look_for_one_job_lists_a_small_part_of_the_trash(jobs_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job_ids = [*retain_many("red", 1_500), *retain_many("blue", 500)]
    listed = counted(monkeypatch)
    for job_id in job_ids[:100]:
        assert trashed.find("red", job_id) is not None
    assert trashed.find("red", "blue-1") is None
    assert len(listed) < 2_000  # for 101 looks


def test_only_the_newest_results_of_the_namespaces_that_are_asked_for_are_read(
    jobs_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for namespace, count in (("red", 30), ("blue", 30), ("green", 300)):
        retain_many(namespace, count)
    listed = counted(monkeypatch)
    opened = list[Path]()
    read_sealed = manifests.read_sealed

    def read(path: Path, job_id: str) -> Manifest | None:
        opened.append(path)
        return read_sealed(path, job_id)

    monkeypatch.setattr(manifests, "read_sealed", read)
    newest = trashed.newest(chain.from_iterable(map(trashed.of_namespace, ("red", "blue", "nobody"))), 20)
    jobs = [job for job in map(trash.restorable, newest) if job is not None]
    assert [job.job["until"] - UNTIL for job in jobs] == [number for number in range(20, 30) for _ in range(2)]
    assert {job.namespace for job in jobs} == {"red", "blue"}
    assert len(opened) == 20
    assert not any(name.startswith("green") for name in listed)


def test_foreign_names_in_the_trash_are_ignored(jobs_dir: Path) -> None:
    for name in ("notes", "uid-1~soon~1", "uid-1~1", "~123~1"):
        (layout.trash() / name).mkdir(parents=True)
        (layout.trash_shard("red", "uid-1") / name).mkdir(parents=True)
    assert trashed.entries() == []
    assert trash.expire(1e18) == 0


def test_the_index_finds_results_in_folders_and_trash_newest_first(jobs_dir: Path) -> None:
    for at, job_id in enumerate(("uid-1", "uid-2", "uid-3"), start=1_000):
        publish(job_id)
        note(job_id, at)
    delete_job_files("uid-2", retain_until=UNTIL)
    earlier = list(results.find(attempt_of("uid-1").job))
    assert [result.manifest.attempt.job_id for result in earlier] == ["uid-3", "uid-2"]
    assert earlier[1].path.parent == layout.trash_shard("red", "uid-2")
    assert list(results.find(replace(NEW, name="other"))) == []
    assert list(results.find(replace(NEW, namespace="blue"))) == []


def test_an_entry_with_a_result_of_another_name_is_ignored(jobs_dir: Path) -> None:
    publish("uid-1")
    results.note(attempt_of("uid-1", namespace="blue").job)
    assert list(results.find(replace(NEW, namespace="blue"))) == []


@pytest.mark.parametrize(
    ("uid", "identity", "is_found"),
    [
        pytest.param("ns-1", "uid", True, id="the-same-namespace"),
        pytest.param("ns-2", "uid", False, id="a-later-namespace-of-that-name"),
        pytest.param("", "uid", False, id="a-namespace-whose-uid-is-not-known"),
        pytest.param("ns-2", "name", True, id="a-later-namespace-where-names-decide"),
        pytest.param("", "name", True, id="unknown-where-names-decide"),
    ],
)
@pytest.mark.parametrize("is_deleted", [False, True])
def test_a_result_belongs_to_the_namespace_with_its_uid(
    uid: str, identity: str, is_found: bool, *, is_deleted: bool, jobs_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(monkeypatch, NAMESPACE_IDENTITY=identity)
    publish("uid-1")
    if is_deleted:
        delete_job_files("uid-1", retain_until=UNTIL)
    assert bool(list(results.find(replace(NEW, namespace_uid=uid)))) is is_found


def test_results_of_unknown_namespaces_are_nobodys(jobs_dir: Path) -> None:
    publish("uid-1", namespace_uid="")
    assert list(results.find(attempt_of("uid-new", namespace_uid="").job)) == []


def test_only_the_newest_results_of_a_name_are_considered(jobs_dir: Path) -> None:
    for number in range(20):
        publish(f"uid-{number}")
        note(f"uid-{number}", 1_000 + number)
    job_ids = [result.manifest.attempt.job_id for result in results.find(NEW)]
    assert job_ids == [f"uid-{number}" for number in range(19, 3, -1)]
