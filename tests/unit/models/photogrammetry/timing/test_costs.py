from __future__ import annotations

from pathlib import Path

import pytest
from reconstruction_operator.models.interface import Photo
from reconstruction_operator.models.photogrammetry.parameters import QUALITIES
from reconstruction_operator.models.photogrammetry.timing import costs
from reconstruction_operator.models.photogrammetry.timing.costs import Facts, Stage

PHOTO = Photo(Path("photo.jpg"), 4000, 3000, 5_000_000)
FAST = QUALITIES["fast"]


@pytest.mark.parametrize("quality", QUALITIES)
def test_each_stage_is_expected_to_take_time(quality: str) -> None:
    expected = costs.expected_seconds([PHOTO] * 3, QUALITIES[quality], 2)
    assert list(expected) == list(Stage)
    assert min(expected.values()) > 0.0


def test_what_a_run_learns_about_its_photos_changes_the_expected_costs() -> None:
    assumed = costs.expected_seconds([PHOTO] * 12, FAST, 2)
    learned = costs.expected_seconds([PHOTO] * 12, FAST, 2, Facts(features=100.0, aligned=6))
    assert learned[Stage.MATCHES] < assumed[Stage.MATCHES]
    assert learned[Stage.DEPTHS] == pytest.approx(assumed[Stage.DEPTHS] / 2)
