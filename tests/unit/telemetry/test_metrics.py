"""Names and labels of metrics: Prometheus's conventions."""

from __future__ import annotations

import re
from types import ModuleType

import pytest
from prometheus_client.metrics import MetricWrapperBase
from reconstruction_operator.telemetry import metrics, worker_metrics

ROOMS = {"operator": metrics, "worker": worker_metrics}
OURS = [one for room in ROOMS.values() for one in vars(room).values() if isinstance(one, MetricWrapperBase)]


@pytest.mark.parametrize("metric", OURS, ids=lambda metric: str(metric._name))
def test_a_metric_has_our_prefix_base_units_and_bounded_labels(metric: MetricWrapperBase) -> None:
    assert re.fullmatch(r"reconstruction_[a-z0-9_]+", metric._name)
    assert not re.search(r"_(ms|milliseconds|minutes|hours|kb|mb|percent)\b", metric._name)
    assert not {"job", "name", "uid", "namespace", "worker", "task_id"} & set(metric._labelnames)
    assert metric._documentation.endswith(".")


@pytest.mark.parametrize("room", ROOMS.values(), ids=list(ROOMS))
def test_every_metric_is_in_the_registry_that_is_served(room: ModuleType) -> None:
    served = {family.name for family in room.REGISTRY.collect()}

    assert {one._name for one in vars(room).values() if isinstance(one, MetricWrapperBase)} <= served


def test_no_name_is_defined_twice() -> None:
    names = [metric._name for metric in OURS]

    assert sorted(set(names)) == sorted(names)
