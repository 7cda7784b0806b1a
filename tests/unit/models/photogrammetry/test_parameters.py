from __future__ import annotations

import pytest
from reconstruction_operator.models.interface import ModelFailure
from reconstruction_operator.models.photogrammetry import PhotogrammetryModel, parameters

MODEL = PhotogrammetryModel()


def test_default_parameters_are_those_of_standard() -> None:
    assert MODEL.check_parameters({}) == {
        "quality": "standard",
        "maxImageSize": 2000,
        "textureSize": 4096,
        "faces": 200_000,
        "crop": True,
        "seed": 0,
    }


def test_given_parameters_override_the_quality() -> None:
    chosen = parameters.settings({"quality": "fast", "faces": 5000, "crop": False})
    assert (chosen.faces, chosen.texture_faces, chosen.crop) == (5000, 5000, False)
    assert chosen.depth_size == parameters.QUALITIES["fast"].depth_size


def test_check_is_idempotent() -> None:
    checked = MODEL.check_parameters({"quality": "fast", "seed": 7})
    assert MODEL.check_parameters(checked) == checked


@pytest.mark.parametrize(
    ("given", "said"),
    [
        pytest.param(
            {"quality": "best"}, "parameter quality: 'best' was given, allowed is one of fast, standard", id="a-quality"
        ),
        pytest.param({"quality": 1}, "parameter quality: 1 was given, allowed is one of fast, standard", id="a-type"),
        pytest.param(
            {"quality": ["fast"]},
            "parameter quality: ['fast'] was given, allowed is one of fast, standard",
            id="a-list",
        ),
        pytest.param(
            {"maxImageSize": 399},
            "parameter maxImageSize: 399 was given, allowed is a whole number from 400 to 4000",
            id="too-small",
        ),
        pytest.param(
            {"textureSize": 8193},
            "parameter textureSize: 8193 was given, allowed is a whole number from 256 to 8192",
            id="too-large",
        ),
        pytest.param(
            {"faces": "5000"},
            "parameter faces: '5000' was given, allowed is a whole number from 1000 to 1000000",
            id="a-number-in-quotes",
        ),
        pytest.param(
            {"faces": 5000.5},
            "parameter faces: 5000.5 was given, allowed is a whole number from 1000 to 1000000",
            id="a-fraction",
        ),
        pytest.param(
            {"seed": True},
            "parameter seed: True was given, allowed is a whole number from 0 to 2147483647",
            id="true-is-no-number",
        ),
        pytest.param({"crop": 1}, "parameter crop: 1 was given, allowed is true or false", id="one-is-not-true"),
        pytest.param(
            {"qualtiy": "fast"},
            "unknown parameter 'qualtiy': known are quality, maxImageSize, textureSize, faces, crop, seed",
            id="a-typing-error",
        ),
    ],
)
def test_a_bad_parameter_is_refused_with_what_is_allowed(given: dict[str, object], said: str) -> None:
    with pytest.raises(ModelFailure) as refused:
        MODEL.check_parameters(given)
    assert (refused.value.reason, refused.value.message) == ("INVALID_PARAMETERS", said)


@pytest.mark.parametrize("quality", parameters.QUALITIES)
def test_settings_of_each_quality_are_within_the_bounds(quality: str) -> None:
    checked = parameters.check({"quality": quality})
    assert set(checked) == {"quality", *parameters.OVERRIDES}
