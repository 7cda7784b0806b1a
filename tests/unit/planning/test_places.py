"""Queue positions, as a status shows them."""

from __future__ import annotations

import pytest
from reconstruction_operator.planning import places


@pytest.mark.parametrize(
    ("number", "shown"), [(1, 1), (2, 2), (3, 5), (6, 10), (11, 20), (21, 50), (100, 100), (999, 1000)]
)
def test_numbers_are_rounded_up(number: int, shown: int) -> None:
    assert places.rounded(number) == shown


@pytest.mark.parametrize(
    ("number", "shown", "next_shown"),
    [
        pytest.param(40, 0, 50, id="first"),
        pytest.param(49, 50, 50, id="a-little-less"),
        pytest.param(19, 50, 50, id="one-class-less"),
        pytest.param(10, 50, 10, id="much-less"),
        pytest.param(51, 50, 100, id="more-than-at-most"),
    ],
)
def test_the_total_does_not_flicker(number: int, shown: int, next_shown: int) -> None:
    assert places.total(number, shown) == next_shown


def test_a_job_that_moves_through_a_long_queue_gets_few_texts() -> None:
    texts = {places.place("celery", number, 1000) for number in range(1, places.LISTED + 1)}

    assert len(texts) == 8
