"""Job manager: the public contract of the two-step cancel."""

from __future__ import annotations

import inspect
from collections.abc import Callable

import pytest
import redis
from reconstruction_operator.services import job_manager

from tests.support.settings import configure

REQUEST = "cancel_request:test123"
CANCEL = "cancel:test123"
FUNCTIONS = [
    job_manager.request_cancellation,
    job_manager.confirm_cancellation,
    job_manager.is_job_cancelled,
    job_manager.cancel_pending,
    job_manager.clear_cancellation,
    job_manager.withdraw_request,
    job_manager.assert_cancelled,
]


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda each: each.__name__)
def test_every_function_takes_the_job_id_alone(function: Callable[..., object]) -> None:
    assert list(inspect.signature(function).parameters) == ["job_id"]


REQUESTED = {REQUEST: "pending"}
CONFIRMED = {CANCEL: "1"}
request, confirm = job_manager.request_cancellation, job_manager.confirm_cancellation
withdraw, assert_, clear = (job_manager.withdraw_request, job_manager.assert_cancelled, job_manager.clear_cancellation)


@pytest.mark.parametrize(
    ("steps", "returned", "flags"),
    [
        pytest.param([], [], {}, id="no-step"),
        pytest.param([request], [True], REQUESTED, id="requested"),
        pytest.param([request, confirm], [True, True], CONFIRMED, id="confirmed"),
        pytest.param([confirm], [False], {}, id="confirmed-without-a-request"),
        pytest.param([request, confirm, confirm], [True, True, False], CONFIRMED, id="confirmed-twice"),
        pytest.param([request, withdraw, withdraw], [True, True, False], {}, id="withdrawn"),
        pytest.param([assert_], [True], CONFIRMED, id="asserted"),
        pytest.param([request, assert_], [True, True], CONFIRMED, id="asserted-after-a-request"),
        pytest.param([assert_, withdraw], [True, False], CONFIRMED, id="withdrawn-too-late"),
        pytest.param([request, clear], [True, None], {}, id="request-cleared"),
        pytest.param([assert_, clear], [True, None], {}, id="cancel-cleared"),
    ],
)
def test_each_step_sets_and_deletes_flags_that_expire_in_an_hour(
    client: redis.Redis, steps: list[Callable[[str], object]], returned: list[object], flags: dict[str, str]
) -> None:
    assert [step("test123") for step in steps] == returned
    assert {key: client.get(key) for key in client.keys("*")} == flags
    assert all(client.ttl(key) == 3600 for key in flags)
    assert job_manager.cancel_pending("test123") is (REQUEST in flags)
    assert job_manager.is_job_cancelled("test123") is (CANCEL in flags)


def test_asserting_a_cancel_again_renews_its_hour(client: redis.Redis) -> None:
    client.set(CANCEL, "1", ex=5)
    assert job_manager.assert_cancelled("test123") is True
    assert client.get(CANCEL) == "1"
    assert client.ttl(CANCEL) == 3600


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda each: each.__name__)
@pytest.mark.parametrize(
    "job_id",
    ["", "a b", "../etc", "a/b", "a..b", "-a", "a" * 129, "a\n", "a:b", "*", None, 7],
    ids=lambda job_id: repr(job_id)[:12],
)
def test_a_malformed_job_id_never_becomes_a_key(
    client: redis.Redis, function: Callable[[object], object], job_id: object
) -> None:
    with pytest.raises(ValueError, match="job id"):
        function(job_id)
    assert client.keys("*") == []


def test_keys_begin_with_the_prefix_of_the_installation(client: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    configure(monkeypatch, REDIS_KEY_PREFIX="team-a:")
    job_manager.request_cancellation("test123")
    assert client.keys("*") == ["team-a:cancel_request:test123"]
    assert job_manager.confirm_cancellation("test123") is True
    assert client.keys("*") == ["team-a:cancel:test123"]


def test_the_client_is_created_once_from_the_current_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    job_manager.get_redis_client.cache_clear()
    configure(monkeypatch, REDIS_STATE_DB="redis://example.invalid:7777/5")
    client = job_manager.get_redis_client()
    assert client is job_manager.get_redis_client()
    made_of = client.connection_pool.connection_kwargs
    assert (made_of["host"], made_of["port"], made_of["db"]) == ("example.invalid", 7777, 5)
    assert made_of["decode_responses"] is True
    job_manager.get_redis_client.cache_clear()
