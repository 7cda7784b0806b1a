"""ReconViaGen without its packages: the seed is checked, and what is missing is named."""

from __future__ import annotations

import pytest
from reconstruction_operator.models.interface import ModelFailure
from reconstruction_operator.models.reconviagen import ReconViaGenModel


def test_the_seed_is_filled_in() -> None:
    check = ReconViaGenModel().check_parameters
    assert check({}) == {"seed": 0}
    assert check({"seed": 2**31 - 1}) == {"seed": 2**31 - 1}


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        *(
            ({"seed": seed}, "seed is .*; allowed are whole numbers from 0")
            for seed in (-1, 2**64, 1.0, "1", None, True)
        ),
        ({"quality": "fast", "seed": 1}, "'quality' is not known; allowed is seed"),
    ],
    ids=repr,
)
def test_a_bad_parameter_is_refused_with_what_is_allowed(parameters: dict[str, object], message: str) -> None:
    with pytest.raises(ModelFailure, match=f"INVALID_PARAMETERS: parameter {message}"):
        ReconViaGenModel().check_parameters(parameters)
