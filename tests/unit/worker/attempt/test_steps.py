"""Steps of real and simulated runs."""

from __future__ import annotations

import math
import time

import pytest
from reconstruction_operator.models.interface import Step
from reconstruction_operator.state.replies import BeatReply
from reconstruction_operator.worker.attempt.steps import Reached, Steps
from reconstruction_operator.worker.heartbeat import Heartbeat

pytestmark = pytest.mark.usefixtures("client")

SHARES = dict.fromkeys(Step, 0.1) | {Step.RECONSTRUCT: 0.5}


def make(heard: list[tuple[Reached, bool]], *, pace: float | None = None) -> Steps:
    heartbeat = Heartbeat(
        beat=lambda: BeatReply(owned=True),
        cancelled=lambda: False,
        every_seconds=1.0,
        drain_seconds=1.0,
        first=BeatReply(owned=True),
        first_asked_at=0.0,
    )
    return Steps(
        job_id="test123",
        shares=SHARES,
        pace_seconds=pace,
        heartbeat=heartbeat,
        publish=lambda reached, keep: heard.append((reached, keep)),
        check=heartbeat.check,
    )


def shown(heard: list[tuple[Reached, bool]]) -> list[tuple[int, float]]:
    return [(reached.step.index, reached.percent) for reached, _ in heard]


def test_a_real_model_reaches_a_steps_percentage_at_its_end() -> None:
    heard: list[tuple[Reached, bool]] = []
    steps = make(heard)
    for step in Step:
        steps.report(step, 0.5)
    steps.complete()
    at_the_end = dict(shown(heard))
    assert at_the_end == {1: 10, 2: 20, 3: 60, 4: 80, 5: 90, 6: 100}
    assert shown(heard) == sorted(shown(heard))
    assert steps.reached.fraction == pytest.approx(1.0)


def test_steps_that_a_model_skips_are_reported_in_order() -> None:
    heard: list[tuple[Reached, bool]] = []
    steps = make(heard)
    steps.report(Step.PREVIEW, 0.0)
    assert [index for index, _ in shown(heard)] == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]


def test_start_and_end_of_a_step_are_kept_and_other_reports_may_be_skipped() -> None:
    heard: list[tuple[Reached, bool]] = []
    steps = make(heard)
    steps.report(Step.LOAD, 0.5, "photo 3/6")
    steps.report(Step.PREPROCESS, 0.0)
    assert [(reached.percent, reached.message, keep) for reached, keep in heard] == [
        (0, "", True),
        (5, "photo 3/6", False),
        (10, "", True),
        (10, "", True),
        (10, "", False),
    ]


@pytest.mark.parametrize(
    ("step", "fraction"),
    [
        pytest.param(Step.RECONSTRUCT, 0.1, id="less of the same step"),
        pytest.param(Step.PREPROCESS, 1.0, id="an earlier step"),
        pytest.param(Step.RECONSTRUCT, math.nan, id="not a number"),
        pytest.param(Step.RECONSTRUCT, -5.0, id="a negative number"),
    ],
)
def test_progress_never_goes_backwards(step: Step, fraction: float) -> None:
    steps = make([])
    steps.report(Step.RECONSTRUCT, 0.5)
    before = steps.reached
    steps.report(step, fraction)
    assert (steps.reached.percent, steps.reached.fraction) == (before.percent, before.fraction) == (40, 0.45)


@pytest.mark.parametrize("pace", [None, 60.0], ids=["real", "simulated"])
def test_a_resumed_run_starts_at_its_stage(pace: float | None) -> None:
    heard: list[tuple[Reached, bool]] = []
    steps = make(heard, pace=pace)
    steps.report(Step.LOAD, 0.0)
    steps.report(Step.RECONSTRUCT, 0.5, "continues after matches", resumed="matches of attempt 1")
    reached, keep = heard[-1]
    assert (reached.step.index, reached.message, keep) == (3, "continues after matches", True)
    assert (reached.resumed, reached.fraction, reached.base) == ("matches of attempt 1", 0.45, 0.45)
    assert reached.percent == (40 if pace is None else 60)
    steps.report(Step.RECONSTRUCT, 0.6)
    assert (steps.reached.resumed, steps.reached.base) == ("matches of attempt 1", 0.45)


@pytest.mark.parametrize(
    ("given", "kept"),
    [(12.5, 12.5), (0.0, 0.0), (None, None), (-1.0, None), (float("nan"), None), (float("inf"), None)],
)
def test_only_a_valid_remaining_time_is_kept(given: float | None, kept: float | None) -> None:
    steps = make([])
    steps.report(Step.RECONSTRUCT, 0.5, remaining_seconds=given)
    assert steps.reached.remaining_seconds == kept


def test_a_simulated_step_reports_its_percentage_when_it_begins() -> None:
    heard: list[tuple[Reached, bool]] = []
    steps = make(heard, pace=0.05)
    begun = time.monotonic()
    for step in Step:
        steps.report(step, 1.0)
    steps.complete()
    assert time.monotonic() - begun >= 6 * 0.05
    assert shown(heard) == [(1, 10), (2, 20), (3, 60), (4, 80), (5, 90), (6, 100)]
