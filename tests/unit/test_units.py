"""Units: sizes as text for people."""

from __future__ import annotations

import pytest
from reconstruction_operator.units import given, megabytes


@pytest.mark.parametrize(
    ("count", "digits", "expected"),
    [
        pytest.param(0, 0, "0 MB", id="nothing"),
        pytest.param(512 * 1024**2, 0, "512 MB", id="whole"),
        pytest.param(8 * 1024**3, 0, "8192 MB", id="gigabytes stay megabytes"),
        pytest.param(300_000, 0, "0 MB", id="a small size vanishes without digits"),
        pytest.param(300_000, 1, "0.3 MB", id="a small size with a digit"),
    ],
)
def test_sizes_are_shown_in_megabytes(count: int, digits: int, expected: str) -> None:
    assert megabytes(count, digits) == expected


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "null"), (True, "true"), ([1, "a"], '[1, "a"]'), ("fast", "'fast'"), (float("nan"), "NaN")],
)
def test_a_value_is_shown_as_its_user_wrote_it(value: object, text: str) -> None:
    assert given(value) == text
    assert len(given("x" * 200)) == 80
