"""Bootsteps of the consumer, driven by Celery's own blueprint without a broker."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from celery import bootsteps
from celery.utils.imports import symbol_by_name
from celery.worker.consumer import Tasks
from reconstruction_operator.broker import celery_settings
from reconstruction_operator.worker.lifecycle.bootstep import LifelongStep


class Recorder(LifelongStep):
    """Records its calls."""

    requires = ()

    def begin(self) -> None:
        self.consumer.calls.append("begin")

    def end(self) -> None:
        self.consumer.calls.append("end")


def consumer_with(**pool: int) -> Any:
    return SimpleNamespace(calls=[], steps=[], pool=SimpleNamespace(**pool))


def test_a_lost_connection_neither_ends_a_step_nor_begins_it_again() -> None:
    consumer = consumer_with()
    blueprint = bootsteps.Blueprint([Recorder]).apply(consumer)

    for _ in range(2):
        blueprint.start(consumer)
        blueprint.restart(consumer)
    assert consumer.calls == ["begin"]

    blueprint.send_all(consumer, "shutdown")
    assert consumer.calls == ["begin", "end"]


def test_a_step_does_not_end_if_the_worker_never_connected() -> None:
    consumer = consumer_with()
    blueprint = bootsteps.Blueprint([Recorder]).apply(consumer)
    blueprint.send_all(consumer, "shutdown")
    assert consumer.calls == []


@pytest.mark.parametrize(
    ("pool", "concurrency"),
    [
        pytest.param({"num_processes": 3}, 3, id="prefork"),
        pytest.param({"num_processes": 0, "limit": 4}, 4, id="threads"),
        pytest.param({}, 1, id="solo"),
    ],
)
def test_concurrency_is_read_from_the_pool(pool: dict[str, int], concurrency: int) -> None:
    assert Recorder(consumer_with(**pool)).concurrency == concurrency


def test_every_named_bootstep_exists() -> None:
    steps = {
        blueprint: [symbol_by_name(name) for name in names] for blueprint, names in celery_settings.BOOTSTEPS.items()
    }
    assert all(issubclass(step, bootsteps.Step) for step in (*steps["worker"], *steps["consumer"]))
    assert all(issubclass(step, LifelongStep) for step in steps["consumer"])
    assert symbol_by_name(LifelongStep.requires[0]) is Tasks
