"""Legs: which stages of an attempt other workers run."""

from __future__ import annotations

import pytest
from reconstruction_operator.contract.attempt import Legs

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
