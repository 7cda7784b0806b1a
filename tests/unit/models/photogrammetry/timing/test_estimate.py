"""Estimates of runs whose true costs are known: the clock is an argument."""

from __future__ import annotations

import itertools

import pytest
from reconstruction_operator.models.interface import Step
from reconstruction_operator.models.photogrammetry.timing.costs import STEPS, Stage
from reconstruction_operator.models.photogrammetry.timing.estimate import Estimate

EXPECTED = dict.fromkeys(Stage, 10.0)


def test_a_run_as_expected_has_the_expected_rest() -> None:
    estimate = Estimate(EXPECTED, 0.0)
    assert estimate.remaining_seconds(0.0) == 130.0
    for number, stage in enumerate(Stage):
        estimate.hear(stage, 0.5, 10.0 * number + 5.0)
        assert estimate.remaining_seconds(10.0 * number + 5.0) == pytest.approx(125.0 - 10.0 * number)
        estimate.hear(stage, 1.0, 10.0 * number + 10.0)
    assert estimate.remaining_seconds(130.0) == 0.0


def test_the_pace_of_finished_stages_counts_for_the_others() -> None:
    estimate = Estimate(EXPECTED, 0.0)
    for number, stage in enumerate(list(Stage)[:4]):
        estimate.hear(stage, 1.0, 30.0 * (number + 1))
    assert estimate.remaining_seconds(120.0) == pytest.approx(9 * 30.0, rel=0.1)


def test_the_pace_of_the_current_stage_counts_more_the_more_is_done() -> None:
    estimate = Estimate(EXPECTED | {Stage.PHOTOS: 1000.0}, 0.0)
    errors = []
    for done in (0.1, 0.3, 0.6, 0.9):  # in truth, it takes 100 s
        estimate.hear(Stage.PHOTOS, done, 100.0 * done)
        errors.append(abs(estimate.remaining_seconds(100.0 * done) - 100.0 * (1.0 - done) - 12.0))
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 10.0


def test_progress_advances_without_reports_and_a_late_stage_never_ends() -> None:
    estimate = Estimate(EXPECTED, 0.0)
    seen = []
    for second in range(40):
        estimate.move(float(second))
        seen.append((estimate.fraction, estimate.remaining_seconds(float(second))))
    fractions, rests = zip(*seen, strict=True)
    assert fractions[5] == pytest.approx(0.25, abs=0.05)
    assert all(after > before for before, after in itertools.pairwise(fractions))
    assert fractions[-1] < 0.9
    assert rests[5] == pytest.approx(125.0)
    assert min(rests) > 120.0


def test_fractions_of_a_step_rise_from_0_to_1() -> None:
    estimate = Estimate({stage: float(stage) for stage in Stage}, 0.0)
    seen: dict[Step, list[float]] = {step: [] for step in STEPS.values()}
    for number, stage in enumerate(Stage):
        seen[estimate.step].append(estimate.fraction)
        estimate.hear(stage, 0.3, 2.0 * number)
        estimate.move(2.0 * number + 1.0)
        estimate.hear(stage, 0.2, 2.0 * number + 1.0)
        seen[estimate.step].append(estimate.fraction)
        estimate.hear(stage, 1.0, 2.0 * number + 2.0)
    for fractions in seen.values():
        assert fractions[0] == 0.0
        assert fractions == sorted(fractions)
        assert 0.5 < fractions[-1] < 1.0


def test_a_step_with_a_higher_cost_continues_from_the_progress_shown() -> None:
    estimate = Estimate(EXPECTED, 0.0)
    estimate.hear(Stage.PHOTOS, 1.0, 10.0)
    before = estimate.fraction
    estimate.expect(EXPECTED | {Stage.FEATURES: 90.0})
    seen = [before]
    for second in range(11, 51):
        estimate.move(float(second))
        seen.append(estimate.fraction)
    assert before == pytest.approx(0.5)
    assert all(after > earlier for earlier, after in itertools.pairwise(seen))
    assert estimate.fraction == pytest.approx(0.5 + 0.5 * 40 / 90, abs=0.05)


def test_the_pace_is_not_learned_from_stages_of_an_earlier_attempt() -> None:
    estimate = Estimate(EXPECTED, 0.0)
    estimate.resume(Stage.ALIGNMENT, 1.0)
    assert estimate.remaining_seconds(1.0) == pytest.approx(90.0)
    assert (estimate.step, estimate.fraction) == (Step.RECONSTRUCT, pytest.approx(2 / 6))
    estimate.hear(Stage.DEPTHS, 0.5, 6.0)  # the stage before it is left out
    assert estimate.remaining_seconds(6.0) == pytest.approx(75.0)


def test_reports_of_a_finished_stage_are_ignored() -> None:
    estimate = Estimate(EXPECTED, 0.0)
    estimate.hear(Stage.FEATURES, 0.5, 15.0)
    before = estimate.remaining_seconds(15.0)
    estimate.hear(Stage.PHOTOS, 1.0, 15.0)
    assert estimate.remaining_seconds(15.0) == before


def test_a_new_expectation_applies_to_the_remaining_stages() -> None:
    estimate = Estimate(EXPECTED, 0.0)
    estimate.hear(Stage.PHOTOS, 1.0, 10.0)
    estimate.expect(EXPECTED | {Stage.MATCHES: 50.0})
    assert estimate.remaining_seconds(10.0) == pytest.approx(160.0)


def test_a_new_expectation_of_a_finished_stage_changes_the_pace() -> None:
    estimate = Estimate(EXPECTED, 0.0)
    estimate.hear(Stage.PHOTOS, 1.0, 10.0)
    estimate.expect(EXPECTED | {Stage.PHOTOS: 20.0})
    assert estimate.remaining_seconds(10.0) == pytest.approx(120.0 * 13.0 / 23.0)


def test_the_pace_is_not_learned_from_a_stage_whose_cost_varies() -> None:
    estimate = Estimate(EXPECTED, 0.0)
    for stage, end in ((Stage.PHOTOS, 10.0), (Stage.FEATURES, 20.0), (Stage.MATCHES, 30.0), (Stage.ALIGNMENT, 500.0)):
        estimate.hear(stage, 1.0, end)
    assert estimate.remaining_seconds(500.0) == pytest.approx(90.0)


def test_a_stage_that_measures_nothing_is_expected_to_end_in_time() -> None:
    estimate = Estimate(EXPECTED, 0.0)
    for second in (6.0, 8.0):
        estimate.hear(Stage.PHOTOS, 0.0, second)
        assert estimate.remaining_seconds(second) == pytest.approx(130.0 - second, rel=0.01)
