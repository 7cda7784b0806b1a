"""Metrics relay: measurements of pool processes reach the main process, and sending never blocks."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator

import pytest
from reconstruction_operator.telemetry import relay
from reconstruction_operator.telemetry import worker_metrics as metrics
from reconstruction_operator.telemetry.relay import Relay


@pytest.fixture(autouse=True)
def _counted_from_zero() -> Iterator[None]:
    yield
    relay.install(None)
    for metric in (metrics.ATTEMPTS, metrics.STEP_TIME, metrics.HIGHEST_MEMORY, metrics.IMAGES):
        metric.clear()


def value(name: str, **labels: str) -> float | None:
    return metrics.REGISTRY.get_sample_value(f"reconstruction_worker_{name}", labels)


def opened() -> Relay:
    measurements = Relay()
    relay.install(measurements)
    measurements.start()
    return measurements


def test_counters_add_histograms_observe_and_gauges_keep_the_maximum() -> None:
    measurements = opened()
    for seconds, memory in ((0.25, 700.0), (4.0, 300.0)):
        relay.report(metrics.ATTEMPTS, 1, "placeholder", "Failed", "DISK_FULL")
        relay.report(metrics.STEP_TIME, seconds, "placeholder", "Loading input files")
        relay.report(metrics.HIGHEST_MEMORY, memory, "placeholder")
    measurements.close()

    step = {"model": "placeholder", "step": "Loading input files"}
    assert value("attempts_total", model="placeholder", outcome="Failed", reason="DISK_FULL") == 2
    assert (value("step_seconds_count", **step), value("step_seconds_sum", **step)) == (2, 4.25)
    assert value("model_highest_memory_bytes", model="placeholder") == 700


def test_measurements_of_a_killed_process_count() -> None:
    measurements = Relay()
    relay.install(measurements)
    child = os.fork()
    if child == 0:
        relay.report(metrics.IMAGES, 16, "photogrammetry")
        os.kill(os.getpid(), 9)
    os.waitpid(child, 0)
    measurements.start()
    measurements.close()

    assert value("images_total", model="photogrammetry") == 16


def test_concurrent_senders_never_mix_their_measurements(caplog: pytest.LogCaptureFixture) -> None:
    measurements = opened()

    def send() -> None:
        for _ in range(100):  # fewer bytes than a pipe holds
            relay.report(metrics.IMAGES, 1, "placeholder")

    senders = [threading.Thread(target=send) for _ in range(4)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    measurements.close()

    assert (value("images_total", model="placeholder"), caplog.messages) == (400, [])


def test_a_full_pipe_drops_measurements_without_waiting() -> None:
    measurements = Relay()
    relay.install(measurements)
    for _ in range(5_000):
        relay.report(metrics.IMAGES, 1, "placeholder")
    measurements.start()
    measurements.close()

    assert 1_000 < (value("images_total", model="placeholder") or 0) < 5_000


def test_measurements_are_dropped_without_a_relay() -> None:
    relay.report(metrics.IMAGES, 1, "nowhere")

    assert value("images_total", model="nowhere") is None


def test_a_metric_of_another_type_is_rejected() -> None:
    with pytest.raises(TypeError, match="Info cannot be reported"):
        relay.apply(metrics.BUILD, 1.0, ())
