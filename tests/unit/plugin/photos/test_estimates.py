from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from kubectl_recon.photos.advice import Level
from kubectl_recon.photos.estimates import estimates
from kubectl_recon.photos.scanning import Photo

PHOTO = Photo(Path("a.jpg"), "a.jpg", 4_000_000, kind="JPEG", width=4000, height=3000)


def texts(*photos: Photo) -> list[str]:
    return [finding.text for finding in estimates(photos)]


def test_each_quality_has_its_cost() -> None:
    costs = list(estimates([PHOTO] * 12))
    assert {finding.level for finding in costs} == {Level.NOTE}
    amount = r"\d+(\.\d)?"
    pattern = rf"quality (\w+) takes about \d+ CPU minutes?, {amount} GB of memory and {amount} GB of disk"
    matches = [re.fullmatch(pattern, finding.text) for finding in costs]
    assert [match and match[1] for match in matches] == ["preview", "fast", "standard", "high"]


def test_a_cost_below_a_unit_is_one_unit() -> None:
    first, *_ = texts(*[replace(PHOTO, width=640, height=480, bytes=1)] * 3)
    assert first.startswith("quality preview takes about 1 CPU minute, ")
    assert first.endswith(" and 0.1 GB of disk")


@pytest.mark.parametrize(
    "photos",
    [
        pytest.param([PHOTO] * 2, id="too few"),
        pytest.param([PHOTO] * 2 + [replace(PHOTO, problem="cannot be read")], id="too few that are usable"),
        pytest.param([PHOTO] * 2 + [replace(PHOTO, name="a.mask.png")], id="a mask is no photo"),
        pytest.param([PHOTO] * 12 + [replace(PHOTO, kind="video", width=0)], id="a video has unknown frames"),
        pytest.param([replace(PHOTO, width=0)] * 12, id="no photo could be measured"),
    ],
)
def test_without_photos_of_a_known_size_there_is_no_estimate(photos: list[Photo]) -> None:
    assert texts(*photos) == []


def test_a_photo_that_could_not_be_measured_counts_as_one_of_usual_size() -> None:
    assert texts(*[PHOTO] * 12, replace(PHOTO, kind="HEIC", width=0, height=0)) == texts(*[PHOTO] * 13)
