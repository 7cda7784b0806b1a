"""Reports of job folders that workers found, until the operator has dealt with them."""

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import redis
from reconstruction_operator import disk
from reconstruction_operator.contract.keys import Keys
from reconstruction_operator.contract.manifest import MANIFEST, Manifest
from reconstruction_operator.contract.records import Owner, Record
from reconstruction_operator.jobfiles import deletion, inventory, notes
from reconstruction_operator.jobfiles.manifest import seal
from reconstruction_operator.services import file_handler
from reconstruction_operator.state import calls, operator_calls, reads, worker_calls
from reconstruction_operator.state.errors import DeposedError

from tests.support.protocol.foreign import put_foreign
from tests.support.settings import configure

LEADER: dict[str, Any] = {"fence": 5, "install_id": "install"}
SAID = {"install_id": "install", "namespace": "ns", "name": "a-name", "attempt": 2, "queue": "celery-high"}
UNOWNED = Record("", "", "", 1, "")

Do = Callable[..., Any]


@pytest.fixture
def jobs_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    configure(monkeypatch, JOBS_DIR=str(tmp_path))
    return tmp_path


def owner(job_id: str, *, attempt: int = 2) -> Owner:
    return Owner(job_id, "install", "ns", "a-name", "celery-high", attempt)


def test_a_report_is_listed_as_the_record_that_the_job_might_have(do: Do) -> None:
    do(worker_calls.report_folders, "install", [owner("a"), owner("b", attempt=7)])
    expected = {job: Record("install", "ns", "a-name", attempt, "celery-high") for job, attempt in [("a", 2), ("b", 7)]}
    assert do(reads.list_folders, "install") == expected


def test_without_a_report_nothing_is_listed(do: Do) -> None:
    assert do(reads.list_folders, "install") == {}


def test_a_later_report_of_the_same_folder_counts_and_others_stay(do: Do) -> None:
    do(worker_calls.report_folders, "install", [owner("a"), owner("b")])
    do(worker_calls.report_folders, "install", [owner("a", attempt=3)])
    listed = do(reads.list_folders, "install")
    assert {job: record.attempt for job, record in listed.items()} == {"a": 3, "b": 2}


def test_names_of_any_language_survive_a_report(do: Do) -> None:
    do(worker_calls.report_folders, "install", [Owner("job", "install", 'n/"\\', "名前 ö", "celery", 1)])
    assert do(reads.list_folders, "install") == {"job": Record("install", 'n/"\\', "名前 ö", 1, "celery")}


def test_a_report_expires(do: Do, client: redis.Redis) -> None:
    do(worker_calls.report_folders, "install", [owner("a")])
    assert 86_000 < client.ttl("folders:install") <= 86_400


def test_each_install_has_its_own_reports(do: Do) -> None:
    do(worker_calls.report_folders, "other", [owner("a")])
    assert do(reads.list_folders, "install") == {}
    do(operator_calls.drop_folders, **LEADER, job_ids=["a"])
    assert set(do(reads.list_folders, "other")) == {"a"}


def test_dropped_reports_are_deleted_and_others_stay(do: Do) -> None:
    do(worker_calls.report_folders, "install", [owner("a"), owner("b"), owner("c")])
    do(operator_calls.drop_folders, **LEADER, job_ids=["a", "c", "never-reported"])
    assert set(do(reads.list_folders, "install")) == {"b"}


def test_no_key_is_left_once_all_reports_are_dropped(do: Do, client: redis.Redis) -> None:
    do(worker_calls.report_folders, "install", [owner("a")])
    do(operator_calls.drop_folders, **LEADER, job_ids=["a"])
    assert client.keys("*") == ["fence:install"]


def test_a_deposed_operator_drops_no_reports(do: Do) -> None:
    do(operator_calls.open_epoch, fence=9, install_id="install", run_id="run")
    do(worker_calls.report_folders, "install", [owner("a")])
    with pytest.raises(DeposedError, match="fence is 5, but 9 was seen"):
        do(operator_calls.drop_folders, **LEADER, job_ids=["a"])
    assert set(do(reads.list_folders, "install")) == {"a"}


def test_dropping_raises_the_fence_of_a_new_leader(do: Do, client: redis.Redis) -> None:
    do(operator_calls.drop_folders, **LEADER, job_ids=["a"])
    assert client.get("fence:install") == "5"


def test_thousands_of_reports_are_listed_in_batches(do: Do) -> None:
    many = [owner(f"job-{number}") for number in range(reads.FOLDERS_BATCH + 500)]
    do(worker_calls.report_folders, "install", many)
    seen: set[str] = set()
    for expected in (reads.FOLDERS_BATCH, 500, 0):
        listed = do(reads.list_folders, "install")
        assert len(listed) == expected
        do(operator_calls.drop_folders, **LEADER, job_ids=tuple(listed))
        seen |= set(listed)
    assert seen == {one.job_id for one in many}


@pytest.mark.parametrize(
    ("job_id", "text"),
    [
        pytest.param("job", "{", id="no-json"),
        pytest.param("job", "[]", id="a-list"),
        pytest.param("job", json.dumps(SAID | {"attempt": "2"}), id="wrong-type"),
        pytest.param("job", json.dumps({"install_id": "install"}), id="half"),
        pytest.param("../../etc", json.dumps(SAID), id="a-path"),
        pytest.param("", json.dumps(SAID), id="no-id"),
    ],
)
def test_a_malformed_report_is_of_no_install_and_can_be_dropped(
    do: Do, client: redis.Redis, job_id: str, text: str
) -> None:
    client.hset("folders:install", job_id, text)
    assert do(reads.list_folders, "install") == {job_id: UNOWNED}
    do(operator_calls.drop_folders, **LEADER, job_ids=[job_id])
    assert do(reads.list_folders, "install") == {}


@pytest.mark.parametrize("kind", ["string", "list", "set"])
def test_reports_under_a_key_of_another_type_read_as_none_and_are_replaced(
    do: Do, client: redis.Redis, kind: str
) -> None:
    put_foreign(client, "folders:install", kind)
    assert do(reads.list_folders, "install") == {}
    do(operator_calls.drop_folders, **LEADER, job_ids=["a"])
    do(worker_calls.report_folders, "install", [owner("a")])
    assert set(do(reads.list_folders, "install")) == {"a"}


def published(job_id: str) -> Path:
    """The output folder of a job of `install`, with a manifest."""
    output = file_handler.output_dir(job_id)
    output.mkdir(parents=True)
    seal(output, Manifest(job_id, owner=owner(job_id)))
    return output


@pytest.mark.usefixtures("jobs_dir")
def test_a_result_is_reported(client: redis.Redis, keys: Keys) -> None:
    published("job")
    assert inventory.report(client, keys, notes.owners()) == 1
    assert set(calls.run(client, reads.list_folders(keys, "install"))) == {"job"}


@pytest.mark.usefixtures("jobs_dir")
def test_folders_are_reported_once_an_epoch_and_again_after_an_hour(client: redis.Redis, keys: Keys, do: Do) -> None:
    now = 100.0
    of_a_worker = inventory.Inventory(client, keys, monotonic=lambda: now)
    published("job")

    def said(epoch: str) -> set[str]:
        """The folders that the worker reports after a registration in that epoch."""
        of_a_worker.epoch_is(epoch)
        for thread in threading.enumerate():
            if thread.name == "inventory":
                thread.join()
        listed = set(do(reads.list_folders, "install"))
        do(operator_calls.drop_folders, **LEADER, job_ids=listed)
        return listed

    assert [said(epoch) for epoch in ("", "one", "one", "two", "two")] == [set(), {"job"}, set(), {"job"}, set()]
    now += 3599
    assert said("two") == set()
    now += 2
    assert said("two") == {"job"}
    assert said("two") == set()


def test_an_interrupted_deletion_is_finished(
    jobs_dir: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    whole = published("whole")
    for job_id in ("stays", "goes"):
        (published(job_id) / MANIFEST).unlink()  # the ownership note may be deleted already
        with monkeypatch.context() as dying:
            dying.setattr(disk, "delete_tree", lambda _: None)
            file_handler.delete_job_files(job_id)

    def refuse(folder: Path) -> None:
        if "stays" in folder.name:
            raise PermissionError(f"not {folder.name}")
        delete_tree(folder)

    delete_tree = disk.delete_tree
    with monkeypatch.context() as refusing:
        refusing.setattr(disk, "delete_tree", refuse)
        deletion.finish_deletions()
    left = [one.name for one in jobs_dir.glob(".deleted/*")]
    assert [name.partition("-")[0] for name in left] == ["stays"]
    assert f"could not be deleted: not {left[0]}" in caplog.text

    deletion.finish_deletions()
    assert list(jobs_dir.iterdir()) == [whole.parent]


def test_a_folder_under_another_jobs_name_is_not_reported(client: redis.Redis, keys: Keys, jobs_dir: Path) -> None:
    for name in ("other", f".deleted-job-1-{'0' * 32}", ".deleted-job-"):
        output = jobs_dir / name / "output"
        output.mkdir(parents=True)
        seal(output, Manifest("job", owner=owner("job")))
    assert inventory.report(client, keys, notes.owners()) == 0
