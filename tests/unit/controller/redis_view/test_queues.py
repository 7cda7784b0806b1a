"""Queue facts: what is known before, between and after readings, and a bounded number of metrics: tenants choose the
names.
"""

from __future__ import annotations

import pytest
from prometheus_client import Gauge
from reconstruction_operator.controller.redis_view.queues import QueueFacts
from reconstruction_operator.telemetry import metrics
from reconstruction_operator.telemetry.metrics import QueueNames

from tests.support.controller.dispatch import read
from tests.support.controller.entries import make_entry


def test_a_queue_counts_as_served_until_the_first_reading() -> None:
    facts = QueueFacts()
    assert (facts.workers("celery") > 0, facts.known) == (True, False)

    read(facts, "gpu")
    assert (facts.workers("celery"), facts.workers("gpu")) == (0, 1)
    facts.begin()  # a new tenure
    assert (facts.workers("celery"), facts.known) == (0, False)


def test_sent_messages_are_counted_until_the_next_reading() -> None:
    facts = QueueFacts()
    facts.sent("celery", 1_500)
    facts.sent("celery", 500)
    assert (facts.messages["celery"], facts.bytes["celery"]) == (2, 2_000)

    read(facts, celery=1)
    assert (facts.messages["celery"], facts.bytes["celery"]) == (1, 2_000)


def test_a_message_sent_and_taken_between_two_readings_no_longer_counts() -> None:
    facts = QueueFacts()
    before = make_entry("read")
    new = make_entry("new")
    facts.sent("celery", 1_500, before)
    read(facts, celery=1)
    facts.sent("celery", 500, new)

    facts.begun(before)  # the reading may have missed it already
    assert (facts.messages["celery"], facts.bytes["celery"]) == (2, 2_500)
    facts.begun(new)
    facts.begun(new)
    assert (facts.messages["celery"], facts.bytes["celery"]) == (1, 2_000)


@pytest.fixture
def _names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "QUEUES", QueueNames(at_most=5))


def shown(gauge: Gauge) -> dict[str, float]:
    (family,) = gauge.collect()
    return {sample.labels["queue"]: sample.value for sample in family.samples}


@pytest.mark.usefixtures("_names")
def test_queues_without_a_worker_are_summed() -> None:
    read(QueueFacts(), "gpu", gpu=1, **{f"tenant-{number}": 3 for number in range(5_000)})

    assert shown(metrics.QUEUE_LENGTH) == {"gpu": 1, "other": 15_000}
    assert shown(metrics.WORKERS) == {"gpu": 1, "other": 0}


@pytest.mark.usefixtures("_names")
def test_a_queue_keeps_its_name_when_its_last_worker_ends() -> None:
    facts = read(QueueFacts(), "gpu")
    read(facts, gpu=4)

    assert (shown(metrics.WORKERS), shown(metrics.QUEUE_LENGTH)) == ({"gpu": 0}, {"gpu": 4})


@pytest.mark.usefixtures("_names")
def test_the_queues_of_configured_pools_have_names_before_they_have_workers() -> None:
    QueueFacts(pools=["gpu"])

    assert sorted(metrics.QUEUES) == ["gpu", "gpu-high", "gpu-low"]
