"""Malformed and foreign messages: the worker logs each and continues with the next."""

import json
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis

from devcluster import Redis, wait_until
from devcluster.harness.workers import Farm
from tests.support.messages import make_message

_HUGE_CHARACTERS = 50_000_000


@pytest.fixture(scope="module")
def farm(server: Redis) -> Iterator[Farm]:
    with Farm(server, PLACEHOLDER_STEP_SECONDS="0") as running:
        running.start_worker(concurrency=1)
        yield running


def arguments(*args: object, **kwargs: object) -> bytes:
    return json.dumps([args, kwargs, {}]).encode()


def without(field: str) -> dict[str, Any]:
    return {name: value for name, value in make_message(arguments("job")).items() if name != field}


@pytest.mark.parametrize(
    ("make", "logged"),
    [
        pytest.param(lambda: "no JSON", "is malformed and is dropped", id="not-json"),
        pytest.param(lambda: "[]", "is malformed and is dropped", id="a-list"),
        pytest.param(lambda: "[" * 200_000, "is malformed and is dropped", id="too-deep"),
        pytest.param(lambda: json.dumps(without("properties")), "KeyError('properties')", id="no-properties"),
        pytest.param(lambda: make_message(b"no JSON either"), "Can't decode message body",
            id="a-body-that-is-not-json"),
        pytest.param(
            lambda: make_message(b"cos\nabort\n(tR.", content_type="application/x-python-serialize", encoding="binary"),
            "Refusing to deserialize",
            id="pickle",
        ),
        pytest.param(lambda: make_message(b"!!python/object/apply:os.abort []", content_type="application/x-yaml"),
            "Refusing to deserialize", id="yaml"),
        pytest.param(lambda: make_message(arguments(), task="os.abort"), "unregistered task", id="an-unknown-task"),
        pytest.param(lambda: make_message(arguments()), "TypeError", id="no-arguments"),
        pytest.param(lambda: make_message(arguments("a", "placeholder", None, "more")), "TypeError",
            id="too-many-arguments"),
        pytest.param(lambda: make_message(arguments("../../etc", "placeholder")), "job id",
            id="a-job-id-that-is-a-path"),
        pytest.param(lambda: make_message(arguments(7, "placeholder")), "job id", id="a-job-id-of-another-type"),
        pytest.param(lambda: make_message(arguments("job", "placeholder", ["x"])), "cannot be understood",
            id="not-a-mapping"),
        pytest.param(
            lambda: make_message(arguments("job", "placeholder", {"version": 99, "attempt": 1})),
            "upgrade the workers",
            id="of-a-newer-version",
        ),
        pytest.param(lambda: make_message(arguments("x" * _HUGE_CHARACTERS, "placeholder")), "job id",
            id="a-huge-one", marks=pytest.mark.release),
    ],
)  # fmt: skip
def test_a_bad_message_is_logged_and_the_next_one_runs(farm: Farm, make: Callable[[], Any], logged: str) -> None:
    (worker,) = farm.processes.values()
    before = worker.log.stat().st_size
    text = make()

    with redis.Redis.from_url(farm.server.url(0)) as broker:
        broker.lpush("celery", text if isinstance(text, str) else json.dumps(text))
    next_one = farm.send(f"job-{uuid.uuid4().hex[:8]}", "placeholder")

    assert farm.wait_state(next_one, "SUCCESS")["status"] == "completed"
    wait_until(lambda: logged in worker.log.read_text()[before:], f"{logged!r} in the log", seen=worker.log_end)
    assert worker.alive
