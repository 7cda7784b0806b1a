"""Metrics: names and labels follow the conventions of Prometheus."""

from __future__ import annotations

import re
from types import ModuleType

import pytest
from prometheus_client.metrics import MetricWrapperBase
from reconstruction_operator.telemetry import metrics, worker_metrics

MODULES = {"operator": metrics, "worker": worker_metrics}
OURS = [
    metric for module in MODULES.values() for metric in vars(module).values() if isinstance(metric, MetricWrapperBase)
]


@pytest.mark.parametrize("metric", OURS, ids=lambda metric: str(metric._name))
def test_a_metric_has_our_prefix_base_units_and_bounded_labels(metric: MetricWrapperBase) -> None:
    assert re.fullmatch(r"reconstruction_[a-z0-9_]+", metric._name)
    assert not re.search(r"_(ms|milliseconds|minutes|hours|kb|mb|percent)\b", metric._name)
    assert not {"job", "name", "uid", "namespace", "worker", "task_id"} & set(metric._labelnames)
    assert metric._documentation.endswith(".")


@pytest.mark.parametrize("module", MODULES.values(), ids=list(MODULES))
def test_every_metric_is_in_the_served_registry(module: ModuleType) -> None:
    served = {family.name for family in module.REGISTRY.collect()}

    assert {metric._name for metric in vars(module).values() if isinstance(metric, MetricWrapperBase)} <= served


def test_no_name_is_defined_twice() -> None:
    names = [metric._name for metric in OURS]

    assert sorted(set(names)) == sorted(names)
