"""Legs: which stages of an attempt other workers run, and what all of them took together."""

from __future__ import annotations

import pytest
from reconstruction_operator.api.attempt_status import Inputs, StepTime, Usage
from reconstruction_operator.contract.attempt import Findings, Legs

STAGES = ("alignment", "depth", "texture")
QUEUES = {"depth": "gpu"}


@pytest.mark.parametrize(
    ("legs", "pool", "elsewhere"),
    [
        pytest.param(Legs(QUEUES, "celery"), "celery", {"depth": "gpu"}, id="first-leg"),
        pytest.param(
            Legs(QUEUES, "celery", 1, "depth"), "gpu", {"alignment": "celery", "texture": "celery"}, id="on-the-gpu"
        ),
        pytest.param(Legs(QUEUES, "celery", 2, "depth"), "celery", {}, id="back-without-a-worker-in-time"),
        pytest.param(Legs(QUEUES, "celery", 2, "texture"), "celery", {"depth": "gpu"}, id="after-the-gpu"),
        pytest.param(Legs({}, "celery"), "celery", {}, id="none-asked-for"),
    ],
)
def test_a_stage_belongs_to_the_workers_of_its_queue(legs: Legs, pool: str, elsewhere: dict[str, str]) -> None:
    assert legs.elsewhere(STAGES, pool) == elsewhere


def _steps(**seconds: int) -> tuple[StepTime, ...]:
    return tuple(StepTime(name, each) for name, each in seconds.items())


def _usage(*, cpu: int, peak: int, read: int, written: int, gpu: int | None = None) -> Usage:
    return Usage(cpu_seconds=cpu, gpu_seconds=gpu, peak_memory_bytes=peak, read_bytes=read, written_bytes=written)


def test_steps_and_usage_of_legs_add_up_and_the_largest_peak_of_memory_counts() -> None:
    first = Findings(steps=_steps(load=5, run=30), usage=_usage(cpu=50, peak=9_000, read=100, written=10))
    second = Findings(
        inputs=Inputs(12, 1),
        steps=_steps(load=4, run=20, finish=1),
        usage=_usage(cpu=8, gpu=20, peak=4_000, read=7, written=3),
    )

    both = second.after(first)

    assert both == Findings(
        inputs=Inputs(12, 1),
        steps=_steps(load=9, run=50, finish=1),
        usage=_usage(cpu=58, gpu=20, peak=9_000, read=107, written=13),
    )
    assert both.after(Findings()) == both


@pytest.mark.parametrize(
    ("first", "second", "total"),
    [
        pytest.param(None, None, None, id="not-measured"),
        pytest.param(Usage(cpu_seconds=50), None, Usage(cpu_seconds=50), id="the-second-not-yet"),
        pytest.param(
            Usage(cpu_seconds=50, read_bytes=0),
            Usage(cpu_seconds=1, peak_memory_bytes=2),
            Usage(cpu_seconds=51, peak_memory_bytes=2, read_bytes=0),
            id="parts-of-it",
        ),
    ],
)
def test_what_one_leg_did_not_measure_is_that_of_the_other(
    first: Usage | None, second: Usage | None, total: Usage | None
) -> None:
    assert Findings(usage=second).after(Findings(usage=first)).usage == total
