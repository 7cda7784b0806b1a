"""Expected costs: they are near those of docs/performance.md."""

from __future__ import annotations

from pathlib import Path

import pytest
from reconstruction_operator.models.interface import Photo
from reconstruction_operator.models.photogrammetry.parameters import QUALITIES
from reconstruction_operator.models.photogrammetry.timing.costs import Learned, cost, expected_seconds

FACTOR = 2.1  # the same photos take twice the CPU seconds on a busy machine
MEGABYTE = 1e6


@pytest.mark.parametrize(
    ("photos", "size", "quality", "cpu_seconds", "memory_gb"),
    [
        pytest.param(12, (1600, 1064), "preview", 16, 0.5, id="banana preview"),
        pytest.param(12, (1600, 1064), "fast", 40, 0.8, id="banana fast"),
        pytest.param(16, (4000, 3000), "fast", 80, 0.9, id="12 MP fast"),
        pytest.param(16, (4000, 3000), "high", 683, 5.0, id="12 MP high"),
        pytest.param(66, (1800, 1200), "fast", 189, 0.8, id="skull fast"),
        pytest.param(24, (800, 800), "standard", 108, 1.4, id="bunny-24 standard"),
        pytest.param(24, (800, 800), "high", 307, 2.4, id="bunny-24 high"),
        pytest.param(1000, (640, 480), "preview", 1768, 1.7, id="walk-1000 preview"),
    ],
)
def test_the_cost_of_a_run_is_near_the_measured_one(
    photos: int, size: tuple[int, int], quality: str, cpu_seconds: float, memory_gb: float
) -> None:
    expected = cost([Photo(Path("a.jpg"), *size, 1)] * photos, QUALITIES[quality])
    assert 1 / FACTOR < expected.cpu_seconds / cpu_seconds < FACTOR
    assert 1 / FACTOR < expected.memory_bytes / 1e9 / memory_gb < FACTOR


def test_the_disk_holds_photos_stages_and_result() -> None:
    photos = [Photo(Path("a.jpg"), 1600, 1064, 350_000)] * 12
    # Stages of `banana` take 47 MB in the end, the photos 4, features and depth maps at most 40 before, the result 16
    assert 67 * MEGABYTE < cost(photos, QUALITIES["fast"]).disk_bytes < 200 * MEGABYTE


def test_known_photos_cost_nothing_until_they_are_matched() -> None:
    photos = [Photo(Path("a.jpg"), 1600, 1064, 350_000)] * 48
    whole, added = (expected_seconds(photos, QUALITIES["fast"], 1, Learned(known=known)) for known in (None, 42))
    shares = {stage.name: round(added[stage] / whole[stage], 3) for stage in whole}
    assert {name: share for name, share in shares.items() if share != 1.0} == {
        "PHOTOS": pytest.approx(0.2, abs=0.08),
        "FEATURES": 0.125,
        "MATCHES": 0.25,
    }
