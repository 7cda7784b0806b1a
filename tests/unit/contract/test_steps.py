"""Steps: the percentages that a job shows."""

from __future__ import annotations

import pytest
from reconstruction_operator.contract.steps import percent_at
from reconstruction_operator.models.interface import Step


@pytest.mark.parametrize(
    ("index", "fraction", "expected"),
    [
        pytest.param(1, 0.0, 0, id="the beginning"),
        pytest.param(1, 1.0, 10, id="the first step is done"),
        pytest.param(2, 0.0, 10, id="the second step begins where the first ended"),
        pytest.param(3, 0.5, 40, id="half of a step"),
        pytest.param(3, 0.9999, 59.9, id="rounded down to a tenth"),
        pytest.param(6, 1.0, 100, id="the end"),
        pytest.param(4, 2.0, 80, id="too much counts as all"),
        pytest.param(4, -1.0, 60, id="less than nothing counts as nothing"),
    ],
)
def test_the_percentage_of_a_step(index: int, fraction: float, expected: float) -> None:
    assert percent_at(index, fraction) == expected


def test_percentages_never_decrease_over_the_steps_of_a_model() -> None:
    percentages = [percent_at(step, part / 10) for step in Step for part in range(11)]

    assert percentages == sorted(percentages)
    assert percentages[-1] == 100
