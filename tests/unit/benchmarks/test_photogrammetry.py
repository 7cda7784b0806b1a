from __future__ import annotations

from benchmarks.photogrammetry import eta_error


def test_eta_error_is_the_largest_between_a_third_and_nine_tenths_of_the_run() -> None:
    left = [(5.0, None), (10.0, 900.0), (40.0, 54.0), (80.0, 25.0), (95.0, 50.0)]
    lines = [(at, {"step": "Running reconstruction", "remainingSeconds": seconds}) for at, seconds in left]

    assert eta_error([*lines, (100.0, {"result": {}})]) == 0.25
