"""Metrics server: serves the worker's metrics and health. A port in use does not stop the worker."""

from __future__ import annotations

import os
import signal
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from celery.signals import worker_process_init, worker_shutting_down
from celery.worker import state
from kombu.asynchronous.timer import Timer
from reconstruction_operator.telemetry import relay
from reconstruction_operator.telemetry import worker_metrics as metrics
from reconstruction_operator.worker.lifecycle.metrics_server import MetricsServer

from devcluster.servers.ports import free_ports
from devcluster.waiting import wait_until
from tests.support.settings import configure

CONSUMER: Any = SimpleNamespace(steps=[], pool=SimpleNamespace(num_processes=3), timer=Timer())


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> int:
    number, metrics_port = free_ports(2)
    configure(monkeypatch, WORKER_METRICS_HOST="127.0.0.1", WORKER_METRICS_PORT=metrics_port, WORKER_PROBE_PORT=number)
    return number


@pytest.fixture
def server(port: int) -> Iterator[MetricsServer]:
    running = MetricsServer(CONSUMER)
    running.create(CONSUMER)
    yield running
    relay.install(None)
    metrics.DRAINING.set(0)
    metrics.IMAGES.clear()


def is_free(port: int) -> bool:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


@pytest.mark.parametrize(("metrics_port", "probe_port", "included"), [(0, 0, False), (9090, 0, True), (0, 9091, True)])
def test_port_0_switches_a_port_off(
    metrics_port: int, probe_port: int, included: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(monkeypatch, WORKER_METRICS_PORT=metrics_port, WORKER_PROBE_PORT=probe_port)

    assert MetricsServer(CONSUMER).include_if(CONSUMER) is included


def test_a_worker_that_was_asked_to_stop_is_draining(server: MetricsServer) -> None:
    worker_shutting_down.send(sender="worker", sig="SIGTERM", how="Warm", exitcode=0)
    server.begin()
    server.end()

    assert metrics.REGISTRY.get_sample_value("reconstruction_worker_draining") == 1


def test_a_process_of_the_pool_does_not_hold_the_ports(server: MetricsServer, port: int) -> None:
    server.begin()
    child = os.fork()
    if not child:  # as the pool forks; it outlives the server
        worker_process_init.send(sender=None)
        signal.pause()
        os._exit(0)
    try:
        server.end()
        wait_until(lambda: is_free(port), "the port to be free")
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


@pytest.mark.parametrize("ending", ["a lost connection", "a drain"])
def test_a_loop_that_beats_no_more_is_unhealthy_until_none_is_expected(
    server: MetricsServer, port: int, ending: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def health(seconds: float | None = None) -> int:
        if seconds is not None:
            server.hung_seconds = seconds
            CONSUMER.timer.apply_entry(CONSUMER.timer.queue[-1].entry)
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz") as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            error.close()
            return error.code

    CONSUMER.timer.clear()
    server.hung_seconds = 1e-6  # a beat is due at any time
    server.start(CONSUMER)

    assert [health(), health(60.0), health(1e-6), health(60.0), health(1e-6)] == [200, 200, 503, 200, 503]
    if ending == "a drain":
        monkeypatch.setattr(state, "should_stop", 0)
    else:
        server.stop(CONSUMER)
    assert health() == 200
    server.end()
