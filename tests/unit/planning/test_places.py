"""Queue positions, as a status shows them."""

from __future__ import annotations

import pytest
from reconstruction_operator.planning import places


@pytest.mark.parametrize(
    ("number", "expected"), [(1, 1), (2, 2), (3, 5), (6, 10), (11, 20), (21, 50), (100, 100), (999, 1000)]
)
def test_numbers_are_rounded_up(number: int, expected: int) -> None:
    assert places.rounded(number) == expected


def test_a_job_that_moves_through_a_long_queue_gets_few_texts() -> None:
    given = {places.place(number) for number in range(1, places.LISTED + 1)}

    assert len(given) == 8
