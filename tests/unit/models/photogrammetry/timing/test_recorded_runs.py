"""Recorded runs, replayed on a clock: the errors of the estimated time left, and the progress of the percentage.

`tests/data/timings.json` is made by `python -m benchmarks.recording`.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from reconstruction_operator.contract.steps import percent_at
from reconstruction_operator.models.interface import Photo, Step
from reconstruction_operator.models.photogrammetry.parameters import QualitySettings
from reconstruction_operator.models.photogrammetry.timing import costs
from reconstruction_operator.models.photogrammetry.timing.costs import Learned, Stage
from reconstruction_operator.models.photogrammetry.timing.timetable import Timetable

from tests.support.paths import DATA

RUNS: Mapping[str, Any] = json.loads((DATA / "timings.json").read_text())
SLOWNESSES = (1.0, 2.0)  # of the machine, as a factor of that of the recording
MOST_OFF = 0.3
UNSEEN_SECONDS = 1.0  # smaller errors are ignored
LONGEST_SECONDS = 5.0


@dataclass(frozen=True)
class Shown:
    """What a run shows at a moment."""

    second: float
    percent: float
    remaining_seconds: float


def replayed(run: Mapping[str, Any], slowness: float) -> list[Shown]:
    """What a run shows with each report, and every second."""
    second = 0.0
    reports: list[Shown] = []

    def report(
        step: Step, fraction: float, message: str = "", *, remaining_seconds: float | None = None, **_: object
    ) -> None:
        assert remaining_seconds is not None
        reports.append(Shown(second, percent_at(int(step), fraction), remaining_seconds))

    photos = [Photo(Path("photo.jpg"), width, height, 1) for width, height in run["photos"]]
    settings = QualitySettings(**run["settings"])
    expected = partial(costs.expected_seconds, photos, settings, run["threads"])
    timetable = Timetable(report, expected, clock=lambda: second)
    for at, event in moments(run, slowness):
        second = at
        match event:
            case Learned():
                timetable.learn(event)
            case stage, share:
                timetable.stage(stage)(share)
            case None:
                timetable.beat()
    return reports


def moments(run: Mapping[str, Any], slowness: float) -> Iterator[tuple[float, Any]]:
    """Reports of stages, what is learned, and None every second; in their order."""
    heard = [(slowness * at, (Stage[stage], share)) for stage, at, share in run["heard"]]
    learned = [(slowness * at, Learned(**facts)) for at, facts in run["learned"]]
    beats = [(float(at), None) for at in range(1, int(slowness * run["seconds"]) + 1)]
    return iter(sorted([*heard, *learned, *beats], key=lambda moment: moment[0]))


@pytest.mark.parametrize("name", RUNS)
def test_after_a_third_of_a_run_the_time_left_is_known_within_30_percent(name: str) -> None:
    whole = RUNS[name]["seconds"]

    wrong = [
        (moment.second, round(moment.remaining_seconds), round(whole - moment.second))
        for moment in replayed(RUNS[name], 1.0)
        if whole / 3 <= moment.second <= 0.9 * whole
        and abs(moment.remaining_seconds - (whole - moment.second))
        > max(MOST_OFF * (whole - moment.second), UNSEEN_SECONDS)
    ]

    assert wrong == []


@pytest.mark.parametrize("slowness", SLOWNESSES)
@pytest.mark.parametrize("name", RUNS)
def test_the_percentage_moves_every_five_seconds_and_never_back(name: str, slowness: float) -> None:
    reports = replayed(RUNS[name], slowness)

    percents = [moment.percent for moment in reports]
    moved = [after.second for before, after in itertools.pairwise(reports) if after.percent > before.percent]
    longest = max(
        after - before for before, after in itertools.pairwise([reports[0].second, *moved, reports[-1].second])
    )

    assert percents == sorted(percents)
    assert longest <= LONGEST_SECONDS


@pytest.mark.parametrize("name", RUNS)
def test_no_native_call_delays_the_reports_of_a_run(name: str) -> None:
    assert RUNS[name]["silence"] <= LONGEST_SECONDS
