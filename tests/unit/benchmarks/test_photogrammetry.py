from __future__ import annotations

from benchmarks.photogrammetry import eta_error


def test_the_largest_error_of_what_was_left_counts_between_a_third_and_nine_tenths() -> None:
    lines = [
        "  10.0 s  PREPROCESS    5.0%    900 s left  photo 1/12",
        "  40.0 s  RECONSTRUCT  20.0%     54 s left  depth map 3/12",
        "E2026 a library reports something",
        "  80.0 s  RECONSTRUCT  80.0%     25 s left  surface: 5 s left",
        "  95.0 s  PREVIEW      80.0%     50 s left  preview 1/4",
        " 100.0 s  PREVIEW     100.0%      0 s left  report written",
    ]
    assert eta_error(lines) == 0.25
