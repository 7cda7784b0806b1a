"""Estimates of runs whose true costs are known: the clock is an argument."""

from __future__ import annotations

import pytest
from reconstruction_operator.models.interface import Step
from reconstruction_operator.models.photogrammetry.timing.costs import Stage
from reconstruction_operator.models.photogrammetry.timing.estimate import Estimate

EXPECTED = dict.fromkeys(Stage, 10.0)


def test_the_pace_is_not_learned_from_stages_of_an_earlier_attempt() -> None:
    estimate = Estimate(EXPECTED, 0.0)
    estimate.resume(Stage.ALIGNMENT, 1.0)
    assert estimate.remaining_seconds(1.0) == pytest.approx(90.0)
    assert (estimate.step, estimate.fraction) == (Step.RECONSTRUCT, pytest.approx(2 / 6))
    estimate.hear(Stage.DEPTHS, 0.5, 6.0)  # the stage before it is left out
    assert estimate.remaining_seconds(6.0) == pytest.approx(75.0)


def test_a_lower_share_and_a_finished_stage_are_ignored() -> None:
    estimate = Estimate(EXPECTED, 0.0)
    estimate.hear(Stage.FEATURES, 0.5, 15.0)
    before = estimate.remaining_seconds(15.0)
    for stage, fraction in ((Stage.FEATURES, 0.2), (Stage.PHOTOS, 1.0)):
        estimate.hear(stage, fraction, 15.0)
        assert estimate.remaining_seconds(15.0) == before
