"""Registration: what the operator reads about a worker from its start to its end."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import fakeredis
import pytest
from celery.signals import worker_shutting_down
from reconstruction_operator.contract.keys import Keys
from reconstruction_operator.state import calls, connections, reads, worker_calls
from reconstruction_operator.state.calls import Script
from reconstruction_operator.state.replies import WorkerInfo
from reconstruction_operator.worker.attempt.ownership import LIFE
from reconstruction_operator.worker.lifecycle.registration import Registration
from reconstruction_operator.worker.model.selection import announced_models

from devcluster import wait_until
from tests.support.settings import configure

NODE = "worker@node"


class Server(fakeredis.FakeServer):
    """A Redis that can be disconnected (`connected`)."""

    def client(self) -> Any:
        return fakeredis.FakeRedis(server=self, decode_responses=True)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, jobs_dir: Path) -> Server:
    running = Server()
    monkeypatch.setattr(connections, "state_client", running.client)
    configure(monkeypatch, JOBS_DIR=str(jobs_dir), WORKER_TTL_SECONDS=30.0, DRAIN_SECONDS=60.0)
    return running


@pytest.fixture
def registration(server: Server) -> Iterator[Registration]:
    queues = SimpleNamespace(consume_from={"celery": None, "celery-high": None})
    consumer = SimpleNamespace(
        hostname=NODE,
        steps=[],
        pool=SimpleNamespace(num_processes=3),
        app=SimpleNamespace(amqp=SimpleNamespace(queues=queues)),
    )
    step = Registration(consumer, max_period_seconds=0.05, retry_seconds=0.05)
    yield step
    if step._thread.is_alive():
        step.end()
    worker_shutting_down.disconnect(step._drain)


@pytest.fixture
def registered(registration: Registration, server: Server) -> Registration:
    """The registration of a worker that has registered."""
    registration.begin()
    wait(lambda: workers(server), "the worker to register")
    return registration


def workers(server: Server) -> tuple[WorkerInfo, ...]:
    return calls.run(server.client(), reads.live_workers(Keys()))


def drains(server: Server) -> bool:
    return bool(server.client().hget(Keys().draining(NODE), "life") == LIFE)


def wait(holds: Callable[[], object], what: str) -> None:
    wait_until(holds, what, timeout_seconds=30)


def test_queues_that_are_added_later_are_registered(server: Server, registered: Registration) -> None:
    registered.consumer.app.amqp.queues.consume_from["gpu"] = None
    wait(lambda: [worker for worker in workers(server) if "gpu" in worker.queues], "the new queue to be registered")


def test_a_worker_that_starts_during_an_outage_registers_later(
    server: Server, registration: Registration, caplog: pytest.LogCaptureFixture
) -> None:
    server.connected = False
    with caplog.at_level(logging.WARNING):
        registration.begin()
        wait(lambda: f"worker {NODE} could not register" in caplog.text, "the refusal to be logged")
        server.connected = True
        wait(lambda: workers(server), "the worker to register")


@pytest.mark.usefixtures("registered")
def test_a_drain_is_recorded_after_an_outage(server: Server) -> None:
    server.connected = False
    worker_shutting_down.send(sender=NODE)
    server.connected = True
    wait(lambda: drains(server), "the drain to be recorded")


def test_the_end_of_a_worker_does_not_wait_for_redis(server: Server, registered: Registration) -> None:
    server.connected = False

    registered.end()
    assert "registration" not in {thread.name for thread in threading.enumerate()}


@pytest.mark.usefixtures("registered")
def test_a_worker_announces_its_models_with_versions_and_schemas(server: Server) -> None:
    (worker,) = workers(server)
    announced = calls.run(server.client(), reads.announcements(Keys(), [worker.announced]))
    assert announced == {worker.announced: announced_models()}
    assert announced[worker.announced]["photogrammetry"].parameters is not None
    assert 0 < server.client().ttl(Keys().models(worker.announced)) <= 300


@pytest.mark.usefixtures("registered")
def test_models_are_announced_again_after_redis_lost_its_data(server: Server) -> None:
    server.client().flushall()
    server.client().hset(Keys().epoch(), "id", "another")
    wait(lambda: workers(server), "the worker to register again")
    wait(lambda: server.client().exists(Keys().models(workers(server)[0].announced)), "the announcement")


def test_a_worker_that_may_not_announce_still_registers(
    server: Server, registration: Registration, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A Redis of your own may have users that may not write these keys."""
    broken = Script.of("announce", "return redis.error_reply('NOPERM no permissions')")
    monkeypatch.setattr(worker_calls, "announce", lambda *_: calls.Call(broken, (), (), lambda _: None))
    registration.begin()
    wait(lambda: workers(server), "the worker to register")
    assert "could not announce its models" in caplog.text
