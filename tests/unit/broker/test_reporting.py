"""Result backend, as Celery's clients see it: what is stored and published."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import fakeredis
import pytest
import redis
from celery import Celery
from celery.app import backends
from celery.backends import redis as celery_redis
from reconstruction_operator.broker import celery_settings, reporting
from reconstruction_operator.broker.reporting import ReportingBackend, ReportingSentinelBackend


@pytest.fixture
def backend() -> Iterator[ReportingBackend]:
    app = Celery("test", set_as_current=False)
    app.conf.update(celery_settings.settings())
    results = app.backend
    assert isinstance(results, ReportingBackend)
    results.client = fakeredis.FakeRedis()
    yield results
    results.client.close()


def report(backend: ReportingBackend, *percents: int) -> None:
    for percent in percents:
        backend.store_result("task", {"progress": percent}, "PROGRESS")


def published(backend: ReportingBackend) -> Iterator[dict[str, Any]]:
    pubsub = backend.client.pubsub(ignore_subscribe_messages=True)
    pubsub.subscribe("celery-task-meta-task")
    pubsub.get_message()
    yield {}
    while message := pubsub.get_message():
        yield json.loads(message["data"])
    pubsub.close()


def test_progress_is_published_and_kept(backend: ReportingBackend) -> None:
    heard = published(backend)
    next(heard)
    report(backend, 10, 20)
    assert [message["result"]["progress"] for message in heard] == [10, 20]
    assert backend.get_task_meta("task") == {
        "task_id": "task",
        "status": "PROGRESS",
        "result": {"progress": 20},
        "traceback": None,
        "children": None,
        "date_done": None,
    }
    assert 0 < backend.client.ttl("celery-task-meta-task") <= 86_400


def test_an_end_that_redis_refuses_is_logged_and_does_not_stop_the_worker(
    backend: ReportingBackend, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise redis.OutOfMemoryError("command not allowed when used memory > 'maxmemory'.")

    monkeypatch.setattr(celery_redis.RedisBackend, "_store_result", refuse)
    backend.mark_as_done("task", "mesh")
    backend.mark_as_failure("task", ValueError("no mesh"))
    assert [record.getMessage().partition(":")[0] for record in caplog.records] == [
        "the end of task task (SUCCESS) is lost",
        "the end of task task (FAILURE) is lost",
    ]
    monkeypatch.setattr(reporting, "run", refuse)
    with pytest.raises(redis.OutOfMemoryError):
        report(backend, 10)


@pytest.mark.parametrize(
    ("held", "expected"),
    [("SUCCESS", "SUCCESS"), ("FAILURE", "FAILURE"), ("REVOKED", "REVOKED"), ("RETRY", "PROGRESS")],
)
def test_late_progress_replaces_no_end(backend: ReportingBackend, held: str, expected: str) -> None:
    backend.client.set("celery-task-meta-task", json.dumps({"status": held, "result": None}))
    report(backend, 10)
    assert json.loads(backend.client.get("celery-task-meta-task"))["status"] == expected


@pytest.mark.parametrize("held", ["no json", "[1]", '"SUCCESS"'])
def test_a_malformed_state_is_replaced(backend: ReportingBackend, held: str) -> None:
    backend.client.set("celery-task-meta-task", held)
    report(backend, 10)
    assert backend.get_task_meta("task")["result"] == {"progress": 10}


def test_a_key_of_another_type_is_replaced(backend: ReportingBackend) -> None:
    backend.client.lpush("celery-task-meta-task", "x")
    report(backend, 10)
    assert backend.get_task_meta("task")["result"] == {"progress": 10}


def test_progress_is_not_retried_while_redis_is_unavailable(backend: ReportingBackend) -> None:
    server = fakeredis.FakeServer()
    server.connected = False
    backend.client = fakeredis.FakeRedis(server=server)
    assert backend.always_retry
    with pytest.raises(redis.ConnectionError):
        report(backend, 10)


@pytest.mark.parametrize(
    ("scheme", "kind"),
    [
        ("redis://localhost/0", ReportingBackend),
        ("rediss://localhost/0", ReportingBackend),
        ("redis+socket:///run/redis.sock", ReportingBackend),
        ("sentinel://localhost:26379/0", ReportingSentinelBackend),
    ],
)
def test_every_address_of_redis_has_a_reporting_backend(scheme: str, kind: type) -> None:
    celery_settings.settings()  # installs it
    assert backends.by_url(scheme)[0] is kind
