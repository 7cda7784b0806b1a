"""Recorded runs, replayed on a clock: what a run expects to be left after its first third, against what was left.

`tests/data/timings.json` has the seconds of each stage, as two cores take them with nothing beside: CPU seconds, divided among the threads.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from reconstruction_operator.models.interface import Photo
from reconstruction_operator.models.photogrammetry.parameters import QUALITIES
from reconstruction_operator.models.photogrammetry.timing import costs
from reconstruction_operator.models.photogrammetry.timing.costs import Known, Stage
from reconstruction_operator.models.photogrammetry.timing.estimate import Estimate

from tests.support.paths import DATA

RUNS: Mapping[str, Any] = json.loads((DATA / "timings.json").read_text())
THREADS = 2
MOST_OFF = 0.3
UNMEASURED = (Stage.SURFACE, Stage.UNWRAPPING)  # native calls that report nothing
MEASURED = {Stage.ALIGNMENT: 0.7}  # its last part is for photos that are left out


def known_before(stage: Stage, run: Mapping[str, Any]) -> Known | None:
    """What the pipeline learns of the photos before that stage."""
    if stage is Stage.MATCHES:
        return Known(features=run["features"], pairs=run["pairs"])
    if stage is Stage.VIEWS:
        return Known(aligned=run["aligned"])
    if stage is Stage.DEPTHS:
        return Known(aligned=run["aligned"], wide=run["wide"])
    return Known(aligned=run["aligned"], wide=run["wide"], points=run["points"]) if stage is Stage.SURFACE else None


def replayed(run: Mapping[str, Any]) -> Iterator[tuple[float, float]]:
    """The second, and what is expected to be left then."""
    photos = [Photo(Path("photo.jpg"), run["width"], run["height"], 1)] * run["photos"]
    settings = QUALITIES[run["quality"]]
    estimate = Estimate(costs.expected_seconds(photos, settings, THREADS), 0.0)
    begin, second = 0.0, 1
    for stage in Stage:
        known = known_before(stage, run)
        if known is not None:
            estimate.expect(costs.expected_seconds(photos, settings, THREADS, known))
        length = run["seconds"][stage.name]
        while second < begin + length:
            share = 0.0 if stage in UNMEASURED else MEASURED.get(stage, 1.0) * (second - begin) / length
            estimate.hear(stage, share, float(second))
            yield float(second), estimate.remaining_seconds(float(second))
            second += 1
        begin += length
        estimate.hear(stage, 1.0, begin)


@pytest.mark.parametrize("name", RUNS)
def test_after_a_third_of_a_run_the_time_left_is_known_within_a_third(name: str) -> None:
    run = RUNS[name]
    whole = sum(run["seconds"].values())
    wrong = [
        (second, round(expected), round(whole - second))
        for second, expected in replayed(run)
        if whole / 3 <= second <= 0.9 * whole and abs(expected - (whole - second)) > MOST_OFF * (whole - second)
    ]
    assert wrong == []
