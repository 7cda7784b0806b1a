"""Preflight thread: takes requests of its pools one at a time, and survives errors of Redis and malformed requests."""

from __future__ import annotations

import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import fakeredis
import pytest
from celery.signals import worker_shutting_down
from reconstruction_operator.contract.keys import Keys
from reconstruction_operator.contract.preflight import Checked, CheckRequest, Usability
from reconstruction_operator.state import connections
from reconstruction_operator.worker.preflight_thread import PreflightThread

from devcluster import wait_until
from tests.support.refs import make_attempt

REQUEST = CheckRequest(
    make_attempt("uid", namespace="team", install_id="install").job, "token", "photogrammetry", "file:///photos/a"
)
KEYS = Keys()


@pytest.fixture
def client() -> Any:
    return fakeredis.FakeRedis(server=fakeredis.FakeServer(), decode_responses=True)


@pytest.fixture
def thread(client: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[PreflightThread]:
    """A running thread of a worker of the pools `celery` and `gpu`."""
    monkeypatch.setattr(connections, "state_client", lambda: client)
    queues = SimpleNamespace(consume_from=dict.fromkeys(["celery-high", "celery", "celery-low", "gpu"]))
    consumer: Any = SimpleNamespace(
        hostname="worker@node", app=SimpleNamespace(amqp=SimpleNamespace(queues=queues)), pool=None
    )
    running = PreflightThread(consumer, pause_seconds=0.05, wait_seconds=0.1)
    monkeypatch.setattr(running, "check", lambda _: Checked(Usability.USABLE, message="3 photos"))
    running.start(consumer)
    yield running
    worker_shutting_down.send(sender=None)
    running.shutdown(consumer)
    assert not running._thread.is_alive()


def reports(client: Any) -> dict[str, Any]:
    return {job: json.loads(text) for job, text in client.hgetall(KEYS.checked("install")).items()}


@pytest.mark.parametrize("pool", ["celery", "gpu"])
@pytest.mark.usefixtures("thread")
def test_a_request_of_the_workers_pools_gets_a_result(pool: str, client: Any) -> None:
    client.lpush(KEYS.checks(pool), REQUEST.to_text())
    wait_until(lambda: reports(client), "the result")
    assert reports(client) == {
        "uid": {"usability": "Usable", "token": "token", "reason": "", "message": "3 photos", "worker": "worker@node"}
    }
    assert 0 < client.ttl(KEYS.checked("install")) <= 300


@pytest.mark.usefixtures("thread")
def test_malformed_requests_and_keys_do_not_end_the_thread(client: Any) -> None:
    client.set(KEYS.checks("gpu"), "of another type")
    client.lpush(KEYS.checks("celery"), "{")
    wait_until(lambda: not client.exists(KEYS.checks("celery")), "the malformed request to be dropped")
    client.delete(KEYS.checks("gpu"))
    client.lpush(KEYS.checks("celery"), REQUEST.to_text())
    wait_until(lambda: reports(client), "the result")


def test_no_request_is_taken_while_an_earlier_check_hangs(thread: PreflightThread, client: Any) -> None:
    left: Any = SimpleNamespace(running=True)
    thread._hung = left
    client.lpush(
        KEYS.checks("celery"), REQUEST.to_text(), REQUEST.to_text()
    )  # the thread may take the one that it waited for
    thread._stopping.wait(0.3)
    assert client.llen(KEYS.checks("celery")) >= 1
    left.running = False
    wait_until(lambda: not client.exists(KEYS.checks("celery")), "the requests to be taken")
