"""Times and pauses of plans."""

from __future__ import annotations

import pytest
from reconstruction_operator.planning.times import backoff


@pytest.mark.parametrize(("failures", "seconds"), [(1, 10), (2, 20), (3, 40), (7, 600), (10_000, 600)])
def test_the_backoff_doubles_up_to_its_maximum(failures: int, seconds: float) -> None:
    assert backoff(failures, first_seconds=10, max_seconds=600) == seconds
