import pytest

from benchmarks.figures.spread import percentile, percentiles


@pytest.mark.parametrize(
    ("percent", "expected"), [(50, 2.0), (99, 4.0), (100, 4.0), (0, 1.0)], ids=["median", "99", "all", "none"]
)
def test_a_percentile_is_the_smallest_value_that_the_share_does_not_exceed(percent: float, expected: float) -> None:
    assert percentile([4.0, 1.0, 3.0, 2.0], percent) == expected


def test_no_values_give_no_figures() -> None:
    assert percentiles("delay", []) == {}
    assert percentiles("delay", [2.0]) == {"delay p50, s": 2.0, "delay p99, s": 2.0}
