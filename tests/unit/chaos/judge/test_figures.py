"""Figures of a run, without the time that faults excuse."""

import pytest

from chaos.judge.evidence import Window
from chaos.judge.figures import cancelling_seconds, confirmed_while_it_ran
from tests.unit.chaos.judge.cases import (
    CANCELLED,
    LATE_CANCEL,
    LEADER,
    PAUSED,
    SUCCEEDED,
    cancelled,
    confirmed,
    evidence,
)


@pytest.mark.parametrize(("windows", "seconds"), [((), 21.0), ((LEADER,), 2.0), ((PAUSED,), 9.0)])
def test_seconds_of_a_cancel_are_counted_without_the_faults(windows: tuple[Window, ...], seconds: float) -> None:
    assert cancelling_seconds(cancelled(*windows, end=LATE_CANCEL, runs=())) == [seconds]


def test_cancels_confirmed_while_a_model_ran_are_counted() -> None:
    assert confirmed_while_it_ran(evidence(confirmed(10.0), CANCELLED, outputs=())) == (1, 0)
    assert confirmed_while_it_ran(evidence(confirmed(14.0), SUCCEEDED)) == (1, 1)
    assert confirmed_while_it_ran(evidence(confirmed(1.0), SUCCEEDED)) == (0, 0)
