from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reconstruction_operator.api.attempt_status import Progress
from reconstruction_operator.api.display import duration_text, percent_text
from reconstruction_operator.api.shapes import shape_of


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (-5, "0s"),
        (0, "0s"),
        (59, "59s"),
        (60, "1m"),
        (80, "1m20s"),
        (599, "9m59s"),
        (600, "10m"),
        (3599, "59m"),
        (3600, "1h"),
        (3900, "1h5m"),
        (86_399, "23h59m"),
        (86_400, "1d"),
        (183_600, "2d3h"),
    ],
)
def test_a_duration_is_shortened_as_kubectl_does(seconds: int, expected: str) -> None:
    assert duration_text(seconds) == expected


@given(st.integers(0, 2**62))
def test_a_duration_fits_its_field(seconds: int) -> None:
    (eta,) = (field for field in Progress.__dataclass_fields__.values() if field.name == "eta")

    assert len(duration_text(seconds)) <= (shape_of(eta).max_length or 0)


def test_a_percentage_has_its_sign() -> None:
    assert percent_text(60) == "60%"
    assert percent_text(43.7) == "43.7%"
