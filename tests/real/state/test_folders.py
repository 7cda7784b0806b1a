"""Reports of job folders by workers, until the operator has handled them."""

import json

import pytest
import redis
from reconstruction_operator.api import codec
from reconstruction_operator.api.identity import AttemptRef, JobRef
from reconstruction_operator.state import operator_calls, reads, worker_calls

from tests.support.protocol.caller import Caller, attempt_of
from tests.support.protocol.foreign import put_foreign

UNOWNED = AttemptRef(JobRef.bare(""), 1)


def owner(job_id: str, *, name: str = "a-name", attempt: int = 2) -> AttemptRef:
    return attempt_of(job_id, attempt, queue="celery-high", name=name)


REPORT = codec.encode(owner("job"))


def test_reports_are_listed_as_records_until_they_are_dropped(do: Caller, client: redis.Redis) -> None:
    do(worker_calls.report_folders, "install", [owner("a"), owner("b"), owner("c")])
    do(worker_calls.report_folders, "install", [owner("a", name='"\\名前 ö', attempt=3)])
    do(worker_calls.report_folders, "other", [owner("a")])
    assert 86_000 < client.ttl("folders:install") <= 86_400
    listed = do(reads.list_folders, "install")
    assert listed["a"] == owner("a", name='"\\名前 ö', attempt=3)
    assert set(listed) == {"a", "b", "c"}

    do.order(operator_calls.drop_folders, job_ids=["a", "c", "never-reported"])
    assert set(do(reads.list_folders, "install")) == {"b"}
    do.order(operator_calls.drop_folders, job_ids=["b"])
    assert sorted(client.keys("*")) == ["fence:install", "folders:other"]


def test_thousands_of_reports_are_listed_in_batches(do: Caller) -> None:
    many = [owner(f"job-{number}") for number in range(reads.FOLDERS_BATCH + 500)]
    do(worker_calls.report_folders, "install", many)
    seen: set[str] = set()
    for expected in (reads.FOLDERS_BATCH, 500, 0):
        listed = do(reads.list_folders, "install")
        assert len(listed) == expected
        do.order(operator_calls.drop_folders, job_ids=tuple(listed))
        seen |= set(listed)
    assert seen == {report.job_id for report in many}


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        "x" * 70_000,
        json.dumps(REPORT | {"number": True}),
        json.dumps(codec.encode(owner("other"))),
        json.dumps({"queue": "celery"}),
    ],
)
def test_a_malformed_report_has_no_owner_and_can_be_dropped(do: Caller, client: redis.Redis, text: str) -> None:
    client.hset("folders:install", "job", text)
    assert do(reads.list_folders, "install") == {"job": UNOWNED}
    do.order(operator_calls.drop_folders, job_ids=["job"])
    assert do(reads.list_folders, "install") == {}


@pytest.mark.parametrize("job_id", [b"\xff\xfe", "", "../../etc", "a..b", "-a", "a-", "x" * 129, "a b"])
def test_a_report_under_a_malformed_job_id_is_deleted_at_once(
    do: Caller, client: redis.Redis, job_id: str | bytes
) -> None:
    client.hset("folders:install", job_id, json.dumps(REPORT))
    assert list(do(reads.list_folders, "install").values()) == [UNOWNED]
    assert client.keys("*") == []


@pytest.mark.parametrize("kind", ["string", "list", "set"])
def test_reports_under_a_key_of_another_type_are_ignored_and_replaced(
    do: Caller, client: redis.Redis, kind: str
) -> None:
    put_foreign(client, "folders:install", kind)
    assert do(reads.list_folders, "install") == {}
    do.order(operator_calls.drop_folders, job_ids=["a"])
    do(worker_calls.report_folders, "install", [owner("a")])
    assert set(do(reads.list_folders, "install")) == {"a"}
