"""ReconViaGen without its packages: the seed is checked, and what is missing is named."""

from __future__ import annotations

import pytest
from reconstruction_operator.models.interface import ModelFailure
from reconstruction_operator.models.reconviagen import ReconViaGenModel


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param({}, {"seed": 0}, id="the default"),
        pytest.param({"seed": 1}, {"seed": 1}, id="the job's"),
        pytest.param({"seed": 2**31 - 1}, {"seed": 2**31 - 1}, id="the largest"),
    ],
)
def test_the_seed_is_filled_in(given: dict[str, object], expected: dict[str, object]) -> None:
    assert ReconViaGenModel().check_parameters(given) == expected


@pytest.mark.parametrize("seed", [-1, 2**64, 1.0, "1", None, True], ids=repr)
def test_a_bad_seed_is_refused_with_the_allowed_range(seed: object) -> None:
    with pytest.raises(
        ModelFailure, match=r"INVALID_PARAMETERS: parameter seed is .*; allowed are whole numbers from 0"
    ):
        ReconViaGenModel().check_parameters({"seed": seed})


def test_an_unknown_parameter_is_refused_by_its_name() -> None:
    with pytest.raises(ModelFailure, match="INVALID_PARAMETERS: parameter 'quality' is not known; allowed is seed"):
        ReconViaGenModel().check_parameters({"quality": "fast", "seed": 1})
