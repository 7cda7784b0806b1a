"""Metrics by queue: tenants choose the names, and the number of series stays bounded."""

from __future__ import annotations

import pytest
from prometheus_client import Gauge
from reconstruction_operator.contract import announcement
from reconstruction_operator.contract.announcement import ModelInfo
from reconstruction_operator.controller.redis_view.catalogue import Catalogue
from reconstruction_operator.controller.redis_view.queues import QueueFacts
from reconstruction_operator.state.replies import WorkerInfo
from reconstruction_operator.telemetry import metrics
from reconstruction_operator.telemetry.metrics import QueueNames

from tests.support.controller.dispatch import read


@pytest.fixture(autouse=True)
def _names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "QUEUES", QueueNames(at_most=5))


def shown(gauge: Gauge) -> dict[str, float]:
    (family,) = gauge.collect()
    return {sample.labels["queue"]: sample.value for sample in family.samples}


def test_queues_without_a_worker_are_summed() -> None:
    read(QueueFacts(), "gpu", gpu=1, **{f"tenant-{number}": 3 for number in range(5_000)})

    assert shown(metrics.QUEUE_LENGTH) == {"gpu": 1, "other": 15_000}
    assert shown(metrics.WORKERS) == {"gpu": 1, "other": 0}


def test_a_queue_keeps_its_name_when_its_last_worker_ends() -> None:
    facts = read(QueueFacts(), "gpu")
    read(facts, gpu=4)

    assert (shown(metrics.WORKERS), shown(metrics.QUEUE_LENGTH)) == ({"gpu": 0}, {"gpu": 4})


def test_the_queues_of_configured_pools_have_names_before_they_have_workers() -> None:
    QueueFacts(pools=["gpu"])

    assert sorted(metrics.QUEUES) == ["gpu", "gpu-high", "gpu-low"]


def test_workers_cannot_make_unlimited_names() -> None:
    read(QueueFacts(), *(f"queue-{number}" for number in range(7)))

    assert shown(metrics.WORKERS)["other"] == 2


def test_the_models_of_live_workers_are_counted_by_queue() -> None:
    models = {"photogrammetry": ModelInfo("1"), "splats": ModelInfo("2")}
    digest = announcement.digest(announcement.to_text(models))
    workers = [WorkerInfo(f"gpu@{node}", ("gpu",), announced=digest) for node in "ab"]
    catalogue = Catalogue()
    catalogue.update([*workers, WorkerInfo("old@c", ("celery",))], {digest: models})

    assert having() == {("gpu", "photogrammetry"): 2, ("gpu", "splats"): 2}
    catalogue.update(workers[:1], {})
    assert having() == {("gpu", "photogrammetry"): 1, ("gpu", "splats"): 1}


def having() -> dict[tuple[str, str], float]:
    (family,) = metrics.WORKER_MODELS.collect()
    return {(sample.labels["queue"], sample.labels["model"]): sample.value for sample in family.samples}
