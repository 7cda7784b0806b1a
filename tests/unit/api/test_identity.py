from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reconstruction_operator.api import codec
from reconstruction_operator.api.identity import AttemptRef, JobRef, check_job_id, parse_task_id

_UID = "0f8f5a44-6f1b-4d3e-9f55-0d9c7b0d9a11"


@pytest.mark.parametrize("job_id", ["a", "test123", _UID, "a.b_c-d", "A" * 128])
def test_a_safe_job_id_is_accepted_unchanged(job_id: str) -> None:
    assert check_job_id(job_id) == job_id


@pytest.mark.parametrize(
    "job_id",
    [
        pytest.param("", id="empty"),
        pytest.param("a..b", id="two-dots"),
        pytest.param("a/b", id="slash"),
        pytest.param(".a", id="hidden"),
        pytest.param("-a", id="like-an-option"),
        pytest.param("a-", id="dash-at-the-end"),
        pytest.param("a\n", id="line-end"),
        pytest.param("a:b", id="like-a-redis-key"),
        pytest.param("ä", id="no-ascii"),
        pytest.param("A" * 129, id="too-long"),
        pytest.param(7, id="number"),
        pytest.param(b"a", id="bytes"),
    ],
)
def test_an_unsafe_job_id_is_rejected(job_id: object) -> None:
    with pytest.raises(ValueError, match="is not 1 to 128 letters"):
        check_job_id(job_id)


def test_the_error_truncates_a_huge_id() -> None:
    with pytest.raises(ValueError) as refusal:
        check_job_id("/" * 100_000)

    assert len(str(refusal.value)) < 400


def test_the_job_id_is_the_uid_and_a_later_object_is_another_job() -> None:
    assert JobRef("shop", "banana", _UID).job_id == _UID
    assert JobRef("shop", "banana", "1") != JobRef("shop", "banana", "2")


def test_a_task_id_is_job_id_and_attempt_or_a_bare_tasks_own() -> None:
    assert AttemptRef(JobRef("shop", "banana", _UID), 3).task_id == f"{_UID}-3"
    assert AttemptRef(JobRef.bare("job"), 0, bare_id="celerys-id").task_id == "celerys-id"


def test_a_job_is_shown_by_its_name_or_else_by_its_id() -> None:
    assert [str(JobRef("shop", "banana", _UID)), str(JobRef.bare("job"))] == ["shop/banana", "job"]


@given(st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9_-]{0,40}[A-Za-z0-9])?", fullmatch=True), st.integers(1, 999_999_999))
def test_a_task_id_survives_a_round_trip_through_text(job_id: str, attempt: int) -> None:
    assert parse_task_id(AttemptRef(JobRef.bare(job_id), attempt).task_id) == (job_id, attempt)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("test123", id="no-attempt"),
        pytest.param(_UID, id="a-uuid-of-a-bare-delay"),
        pytest.param("job-0", id="attempt-0"),
        pytest.param("job-01", id="leading-zero"),
        pytest.param("-1", id="empty-job"),
        pytest.param("job--1", id="dash-before-the-dash"),
        pytest.param("job-²", id="superscript"),
        pytest.param("job-1234567890", id="too-many-digits"),
        pytest.param("../job-1", id="unsafe-job"),
    ],
)
def test_a_foreign_task_id_is_not_parsed(text: str) -> None:
    assert parse_task_id(text) is None


ATTEMPT = AttemptRef(JobRef("team", "banana", "uid-1", "install", "ns-1"), 2, "gpu")
JOB: dict[str, Any] = {
    "namespace": "team",
    "name": "banana",
    "uid": "uid-1",
    "installId": "install",
    "namespaceUid": "ns-1",
}
JSON: dict[str, Any] = {"job": JOB, "number": 2, "queue": "gpu"}


def test_an_attempt_is_written_and_read_again() -> None:
    assert codec.encode(ATTEMPT) == JSON
    assert AttemptRef.from_json(JSON | {"of": "a newer version"}) == ATTEMPT


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(None, id="nothing"),
        pytest.param(JSON | {"job": JOB | {"uid": "../other"}}, id="a job id that is a path"),
        *(pytest.param(JSON | {"job": JOB | {name: None}}, id=f"no {name}") for name in ("namespace", "name", "uid")),
        pytest.param(JSON | {"job": JOB | {"namespace": 7}}, id="a number as a name"),
        pytest.param(JSON | {"number": "2"}, id="a text as a number"),
        pytest.param(JSON | {"number": True}, id="a boolean as a number"),
        pytest.param(JSON | {"number": 0}, id="an attempt before the first"),
        pytest.param(JSON | {"number": 10**9}, id="a huge attempt"),
    ],
)
def test_what_names_no_attempt_is_refused(data: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        AttemptRef.from_json(data)
