"""Reports of job folders by workers, until the operator has handled them."""

import json

import pytest
import redis
from reconstruction_operator.contract.records import Owner, Record
from reconstruction_operator.state import operator_calls, reads, worker_calls
from reconstruction_operator.state.errors import DeposedError

from tests.support.protocol.caller import Caller
from tests.support.protocol.foreign import put_foreign

REPORT = {"install_id": "install", "namespace": "ns", "name": "a-name", "attempt": 2, "queue": "celery-high"}
UNOWNED = Record("", "", "", 1, "")


def owner(job_id: str, *, attempt: int = 2) -> Owner:
    return Owner(job_id, "install", "ns", "a-name", "celery-high", attempt)


def test_a_report_is_listed_as_the_record_that_the_job_might_have(do: Caller) -> None:
    do(worker_calls.report_folders, "install", [owner("a"), owner("b", attempt=7)])
    expected = {job: Record("install", "ns", "a-name", attempt, "celery-high") for job, attempt in [("a", 2), ("b", 7)]}
    assert do(reads.list_folders, "install") == expected


def test_without_a_report_nothing_is_listed(do: Caller) -> None:
    assert do(reads.list_folders, "install") == {}


def test_a_later_report_of_the_same_folder_counts_and_others_stay(do: Caller) -> None:
    do(worker_calls.report_folders, "install", [owner("a"), owner("b")])
    do(worker_calls.report_folders, "install", [owner("a", attempt=3)])
    listed = do(reads.list_folders, "install")
    assert {job: record.attempt for job, record in listed.items()} == {"a": 3, "b": 2}


def test_names_in_any_language_survive_a_report(do: Caller) -> None:
    do(worker_calls.report_folders, "install", [Owner("job", "install", 'n/"\\', "名前 ö", "celery", 1)])
    assert do(reads.list_folders, "install") == {"job": Record("install", 'n/"\\', "名前 ö", 1, "celery")}


def test_a_report_expires(do: Caller, client: redis.Redis) -> None:
    do(worker_calls.report_folders, "install", [owner("a")])
    assert 86_000 < client.ttl("folders:install") <= 86_400


def test_each_install_has_its_own_reports(do: Caller) -> None:
    do(worker_calls.report_folders, "other", [owner("a")])
    assert do(reads.list_folders, "install") == {}
    do.order(operator_calls.drop_folders, job_ids=["a"])
    assert set(do(reads.list_folders, "other")) == {"a"}


def test_dropped_reports_are_deleted_and_others_stay(do: Caller) -> None:
    do(worker_calls.report_folders, "install", [owner("a"), owner("b"), owner("c")])
    do.order(operator_calls.drop_folders, job_ids=["a", "c", "never-reported"])
    assert set(do(reads.list_folders, "install")) == {"b"}


def test_no_key_remains_once_all_reports_are_dropped(do: Caller, client: redis.Redis) -> None:
    do(worker_calls.report_folders, "install", [owner("a")])
    do.order(operator_calls.drop_folders, job_ids=["a"])
    assert client.keys("*") == ["fence:install"]


def test_a_deposed_operator_drops_no_reports(do: Caller) -> None:
    do(operator_calls.open_epoch, fence=9, install_id="install", run_id="run")
    do(worker_calls.report_folders, "install", [owner("a")])
    with pytest.raises(DeposedError, match="fence is 5, but 9 was seen"):
        do.order(operator_calls.drop_folders, job_ids=["a"])
    assert set(do(reads.list_folders, "install")) == {"a"}


def test_dropping_raises_the_fence_of_a_new_leader(do: Caller, client: redis.Redis) -> None:
    do.order(operator_calls.drop_folders, job_ids=["a"])
    assert client.get("fence:install") == "5"


def test_thousands_of_reports_are_listed_in_batches(do: Caller) -> None:
    many = [owner(f"job-{number}") for number in range(reads.FOLDERS_BATCH + 500)]
    do(worker_calls.report_folders, "install", many)
    seen: set[str] = set()
    for expected in (reads.FOLDERS_BATCH, 500, 0):
        listed = do(reads.list_folders, "install")
        assert len(listed) == expected
        do.order(operator_calls.drop_folders, job_ids=tuple(listed))
        seen |= set(listed)
    assert seen == {one.job_id for one in many}


@pytest.mark.parametrize(
    ("job_id", "text"),
    [
        pytest.param("job", "{", id="no-json"),
        pytest.param("job", "[]", id="a-list"),
        pytest.param("job", json.dumps(REPORT | {"attempt": "2"}), id="wrong-type"),
        pytest.param("job", json.dumps({"install_id": "install"}), id="half"),
        pytest.param("../../etc", json.dumps(REPORT), id="a-path"),
        pytest.param("", json.dumps(REPORT), id="no-id"),
    ],
)
def test_a_malformed_report_has_no_install_and_can_be_dropped(
    do: Caller, client: redis.Redis, job_id: str, text: str
) -> None:
    client.hset("folders:install", job_id, text)
    assert do(reads.list_folders, "install") == {job_id: UNOWNED}
    do.order(operator_calls.drop_folders, job_ids=[job_id])
    assert do(reads.list_folders, "install") == {}


@pytest.mark.parametrize("kind", ["string", "list", "set"])
def test_reports_under_a_key_of_another_type_are_ignored_and_replaced(
    do: Caller, client: redis.Redis, kind: str
) -> None:
    put_foreign(client, "folders:install", kind)
    assert do(reads.list_folders, "install") == {}
    do.order(operator_calls.drop_folders, job_ids=["a"])
    do(worker_calls.report_folders, "install", [owner("a")])
    assert set(do(reads.list_folders, "install")) == {"a"}
