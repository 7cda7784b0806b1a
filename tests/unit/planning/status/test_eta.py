from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from reconstruction_operator.contract.records import ProgressReport
from reconstruction_operator.planning.status.progress import eta_seconds

from tests.support.plans import NOW


def report(fraction: float, elapsed: float, silence: float = 0.0) -> ProgressReport:
    at = NOW - timedelta(seconds=silence)
    return ProgressReport(10, "step", 1, fraction, started_at=at - timedelta(seconds=elapsed), at=at)


@pytest.mark.parametrize(
    ("report", "expected"),
    [
        pytest.param(report(0.02, 100), None, id="too-little-is-done"),
        pytest.param(report(0.5, 1.0), None, id="too-early"),
        pytest.param(report(0.5, 8), 8, id="half-way"),
        pytest.param(report(0.5, 8, 3), 5, id="time-passes"),
        pytest.param(report(0.25, 20), 60, id="a-quarter"),
        pytest.param(report(0.25, 41), 120, id="rounded-to-ten-seconds"),
        pytest.param(report(0.5, 1500), 1500, id="rounded-to-minutes"),
        pytest.param(report(0.5, 8000), 8100, id="rounded-to-five-minutes"),
        pytest.param(report(0.5, 10, 100), 50, id="no-report-for-long"),
        pytest.param(replace(report(0.5, 10), base=0.4), 50, id="resumed-from-a-stage"),
        pytest.param(replace(report(0.5, 10), base=0.49), None, id="resumed-just-now"),
        pytest.param(report(1.0, 50, 30), 0, id="done"),
        pytest.param(report(7.0, 50), 0, id="more-than-done"),
        pytest.param(replace(report(0.5, 10), started_at=None), None, id="without-a-start"),
        pytest.param(replace(report(0.5, 10), at=None), 10, id="without-a-time-so-it-counts-as-new"),
        pytest.param(replace(report(0.5, 10), remaining_seconds=90.0), 90, id="as-the-model-estimates"),
        pytest.param(replace(report(0.5, 10, 20), remaining_seconds=48.0), 28, id="as-the-model-estimated-before"),
        pytest.param(replace(report(0.0, 0), remaining_seconds=48.0), 50, id="as-the-model-estimates-from-the-start"),
        pytest.param(replace(report(0.5, 10, 60), remaining_seconds=48.0), 30, id="longer-than-the-model-estimated"),
    ],
)
def test_the_estimate_follows_from_the_pace(report: ProgressReport, expected: int | None) -> None:
    assert eta_seconds(report, NOW) == expected


@given(
    fraction=st.floats(allow_nan=True, allow_infinity=True),
    base=st.floats(0.0, 1.0),
    remaining=st.none() | st.floats(0.0, 1e9),
    started=st.integers(-100_000, 100_000),
    at=st.none() | st.integers(-100_000, 100_000),
)
@example(fraction=-1e308, base=0.0, remaining=0.0, started=0, at=-2)
def test_an_estimate_is_never_negative(
    fraction: float, base: float, remaining: float | None, started: int, at: int | None
) -> None:
    start = NOW + timedelta(seconds=started)
    when = None if at is None else NOW + timedelta(seconds=at)

    eta = eta_seconds(ProgressReport(50, "step", 3, fraction, start, when, base=base, remaining_seconds=remaining), NOW)

    assert eta is None or eta >= 0
