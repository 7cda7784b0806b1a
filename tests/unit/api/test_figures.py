"""Figures: the numbers of a result as a sentence, whatever a model reports."""

from __future__ import annotations

from typing import Any

import pytest
from reconstruction_operator.api.figures import in_words, parts_in_words

PHOTOGRAMMETRY = {
    "registered": "12",
    "images": "12",
    "reprojectionErrorPx": "0.268",
    "faces": "80000",
    "inventedShare": "0.012",
    "vertices": "40356",
}


@pytest.mark.parametrize(
    ("quality", "size", "expected"),
    [
        pytest.param(
            PHOTOGRAMMETRY,
            "1.2 x 0.8 x 0.4 m",
            "12 of 12 photos, sharp to 0.27 px, 80,000 triangles, 1 % of the surface closed without photos, "
            "1.2 x 0.8 x 0.4 m",
            id="all",
        ),
        pytest.param({"faces": 722, "inventedShare": 0.004}, "", "722 triangles", id="another-model"),
        pytest.param({"registered": "x", "images": None, "faces": "nan", "mood": "-1"}, "", "", id="no-numbers"),
        pytest.param({"reprojectionErrorPx": "-1", "faces": []}, "", "", id="wrong-numbers"),
    ],
)
def test_numbers_of_a_result_become_words(quality: dict[str, Any], size: str, expected: str) -> None:
    assert in_words(quality, size) == expected


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ({"total": 12, "done": 5, "running": 2}, "5 of 12 parts made, 2 workers"),
        ({"total": 12, "running": 1}, "0 of 12 parts made"),
        ({"total": 12, "done": 12, "running": 0}, "12 of 12 parts made"),
        ({}, ""),
    ],
)
def test_the_parts_of_a_stage_become_words(parts: dict[str, int], expected: str) -> None:
    assert parts_in_words(parts) == expected
