from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reconstruction_operator.contract.records import ProgressReport
from reconstruction_operator.planning.status.eta import eta_seconds

from tests.support.plans import NOW


def report(fraction: float, elapsed: float, silence: float = 0.0) -> ProgressReport:
    at = NOW - timedelta(seconds=silence)
    return ProgressReport(10, "step", 1, fraction, started_at=at - timedelta(seconds=elapsed), at=at)


@pytest.mark.parametrize(
    ("fraction", "elapsed", "silence", "expected"),
    [
        pytest.param(0.0, 100, 0, None, id="nothing-is-done"),
        pytest.param(0.02, 100, 0, None, id="too-little-is-done"),
        pytest.param(0.5, 1.0, 0, None, id="too-early"),
        pytest.param(0.5, 8, 0, 8, id="half-way"),
        pytest.param(0.5, 8, 3, 5, id="time-passes"),
        pytest.param(0.25, 20, 0, 60, id="a-quarter"),
        pytest.param(0.25, 41, 0, 120, id="rounded-to-ten-seconds"),
        pytest.param(0.5, 1500, 0, 1500, id="rounded-to-minutes"),
        pytest.param(0.5, 8000, 0, 8100, id="rounded-to-five-minutes"),
        pytest.param(0.5, 10, 100, 50, id="no-report-for-long"),
        pytest.param(1.0, 50, 30, 0, id="done"),
        pytest.param(7.0, 50, 0, 0, id="more-than-done"),
    ],
)
def test_the_estimate_follows_from_the_pace(
    fraction: float, elapsed: float, silence: float, expected: int | None
) -> None:
    assert eta_seconds(report(fraction, elapsed, silence), NOW) == expected


def test_there_is_no_estimate_without_a_start() -> None:
    assert eta_seconds(ProgressReport(50, "step", 3, 0.5, started_at=None, at=NOW), NOW) is None


def test_a_report_without_a_time_counts_as_new() -> None:
    began = NOW - timedelta(seconds=10)

    assert eta_seconds(ProgressReport(50, "step", 3, 0.5, started_at=began, at=None), NOW) == 10


@given(
    fraction=st.floats(allow_nan=True, allow_infinity=True),
    started=st.integers(-100_000, 100_000),
    at=st.none() | st.integers(-100_000, 100_000),
)
def test_an_estimate_is_never_negative(fraction: float, started: int, at: int | None) -> None:
    start = NOW + timedelta(seconds=started)
    when = None if at is None else NOW + timedelta(seconds=at)

    eta = eta_seconds(ProgressReport(50, "step", 3, fraction, start, when), NOW)

    assert eta is None or eta >= 0
