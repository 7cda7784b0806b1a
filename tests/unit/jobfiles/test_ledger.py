"""Ledger: what a namespace takes on the job volume, and what it gives up for its quota."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from reconstruction_operator.contract.manifest import Manifest
from reconstruction_operator.jobfiles import kept_stages, layout, ledger, trashed
from reconstruction_operator.jobfiles import manifest as manifests
from reconstruction_operator.jobfiles.folder_deletion import delete_job_files
from reconstruction_operator.jobfiles.layout import JobFolder

from tests.support.refs import make_attempt

BLOCK = 4096
RED = "red"
pytestmark = pytest.mark.usefixtures("jobs_dir")


def make_job(job_id: str, blocks: int, namespace: str = RED) -> JobFolder:
    """Make the folder of a job with a result of that size, besides its manifest and three folders."""
    folder = JobFolder.of(job_id)
    (folder.output).mkdir(parents=True)
    (folder.output / "model.glb").write_bytes(bytes(blocks * BLOCK))
    files = manifests.describe_files(folder.output, lambda: None)
    manifests.seal(folder.output, Manifest(make_attempt(job_id, namespace=namespace, name=job_id), files=files))
    return folder


def retain(job_id: str, blocks: int, until: int, namespace: str = RED) -> None:
    path = layout.trash_shard(namespace, job_id) / f"{job_id}~{until}~{blocks * BLOCK}"
    path.mkdir(parents=True)


def keep_stages(job_id: str, blocks: int, namespace: str = RED) -> None:
    (layout.kept_stages() / f"{namespace}~d1~{job_id}~9~{blocks * BLOCK}").mkdir(parents=True)


def left() -> set[str]:
    stages = {kept.job_id for kept in kept_stages.entries(layout.kept_stages())}
    return stages | {kept.job_id for kept in trashed.entries()}


def test_an_account_has_folders_stages_and_results_of_the_namespace_alone() -> None:
    for namespace, job_id in ((RED, "red-1"), ("blue", "blue-1")):
        make_job(job_id, 10, namespace)
        ledger.record(namespace, job_id, began=7)
        retain(f"{job_id}-old", 20, 5, namespace)
        keep_stages(f"{job_id}-other", 30, namespace)
    account = ledger.account(RED)
    assert [(entry.job_id, entry.bytes, entry.began) for entry in account.folders] == [("red-1", 13 * BLOCK, 7)]
    assert account.bytes == (13 + 20 + 30) * BLOCK


def test_a_job_has_one_entry_whose_size_follows_its_folder() -> None:
    folder = make_job("red-1", 10)
    ledger.record(RED, "red-1", began=7)
    (folder.output / "more").write_bytes(bytes(5 * BLOCK))
    ledger.record(RED, "red-1")
    ledger.record(RED, "red-1")
    assert [(entry.bytes, entry.began) for entry in ledger.account(RED).folders] == [(18 * BLOCK, 0)]


@pytest.mark.parametrize("until", [0.0, 2e9])
def test_a_deleted_job_has_no_entry_and_counts_as_its_retained_result(until: float, jobs_dir: Path) -> None:
    make_job("red-1", 10)
    ledger.record(RED, "red-1")
    delete_job_files("red-1", retain_until=until)
    account = ledger.account(RED)
    assert account.folders == ()
    assert account.bytes == (12 * BLOCK if until else 0)
    ledger.record(RED, "red-1", began=7)  # by a run that does not know it yet
    assert not (jobs_dir / ".usage").exists()


def test_own_stages_then_own_results_give_way_the_oldest_first() -> None:
    make_job("red-1", 10)
    ledger.record(RED, "red-1")
    keep_stages("stages", 10)
    keep_stages("blue", 10, "blue")
    for until, job_id in enumerate(("first", "second", "third")):
        retain(job_id, 10, until)
    retain("other", 10, 0, "blue")
    assert ledger.expel(RED, 44 * BLOCK) == 0
    assert left() == {"first", "second", "third", "blue", "other"}
    assert ledger.expel(RED, 30 * BLOCK) == 2
    assert left() == {"third", "blue", "other"}


def test_nothing_is_deleted_if_the_folders_of_jobs_alone_take_too_much() -> None:
    make_job("red-1", 10)
    ledger.record(RED, "red-1")
    retain("first", 10, 1)
    assert ledger.expel(RED, 13 * BLOCK) == 0
    assert left() == {"first"}


def test_folders_of_the_time_before_the_quota_are_entered_and_lost_ones_dropped() -> None:
    for job_id in ("red-1", "red-2"):
        make_job(job_id, 10)
    ledger.record(RED, "red-1", began=7)
    ledger.complete(make_attempt(job_id, namespace=RED).job for job_id in ("red-1", "red-2", "gone"))
    assert {(entry.job_id, entry.began) for entry in ledger.account(RED).folders} == {("red-1", 7), ("red-2", 0)}
    (layout.ledger() / RED / "lost~1~0").touch()
    ledger.drop_stale()
    assert {entry.job_id for entry in ledger.account(RED).folders} == {"red-1", "red-2"}


def test_runs_are_in_the_order_in_which_they_began() -> None:
    for job_id, began in (("red-1", 3), ("red-2", 5), ("red-3", 5), ("red-4", 0)):
        make_job(job_id, 1)
        ledger.record(RED, job_id, began=began)
    account = ledger.account(RED)
    assert [account.begun_after(f"red-{number}") for number in (1, 2, 3)] == [2, 1, 0]


def test_a_measurement_opens_only_the_folder_of_its_job_and_lists_names(monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(50):
        make_job(f"red-{number}", 1)
        ledger.record(RED, f"red-{number}")
    scanned: list[str] = []
    scandir = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path=".": scanned.append(os.fspath(path)) or scandir(path))
    ledger.record(RED, "red-7", began=1)
    assert len(ledger.account(RED).folders) == 50
    assert {Path(path).relative_to(layout.volume()).parts[0] for path in scanned} == {"red-7"}


def test_other_names_in_the_ledger_are_ignored() -> None:
    for name in ("notes", "~1~1", "red-1~x~1", "red-1~1"):
        (layout.ledger() / RED / name).mkdir(parents=True)
    assert ledger.account(RED).bytes == 0
    ledger.drop_stale()
