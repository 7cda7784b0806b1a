from __future__ import annotations

import json

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
        "markerSize": 0.0,
        "compress": False,
        "obj": False,
        "seed": 0,
    }


def test_given_parameters_override_the_quality() -> None:
    chosen = parameters.settings({"quality": "fast", "faces": 5000, "crop": False})
    assert (chosen.faces, chosen.texture_faces, chosen.crop) == (5000, 5000, False)
    assert chosen.depth_size == parameters.QUALITIES["fast"].depth_size


def test_the_photos_choose_the_size_of_the_texture_unless_the_job_does() -> None:
    assert "textureSize" not in MODEL.check_parameters({"quality": "fast"})
    free = parameters.settings(MODEL.check_parameters({"quality": "fast"}))
    fixed = parameters.settings(MODEL.check_parameters({"quality": "fast", "textureSize": 512}))
    assert (free.texture_size, free.largest_texture) == (2048, 4096)
    assert (fixed.texture_size, fixed.largest_texture) == (512, 512)


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        pytest.param("quality", "best", "one of preview, fast, standard, high", id="a-quality"),
        pytest.param("quality", ["fast"], "one of preview, fast, standard, high", id="a-list"),
        pytest.param("maxImageSize", 399, "a whole number from 400 to 4000", id="too-small"),
        pytest.param("markerSize", -0.1, "a number from 0 to 100", id="no-length"),
        pytest.param("textureSize", 8193, "a whole number from 256 to 8192", id="too-large"),
        pytest.param("faces", "5000", "a whole number from 1000 to 1000000", id="a-number-in-quotes"),
        pytest.param("faces", 5000.5, "a whole number from 1000 to 1000000", id="a-fraction"),
        pytest.param("seed", True, "a whole number from 0 to 2147483647", id="true-is-no-number"),
        pytest.param("crop", 1, "true or false", id="one-is-not-true"),
        pytest.param("crop", None, "true or false", id="null"),
    ],
)
def test_a_bad_parameter_is_refused_with_what_is_allowed(name: str, value: object, allowed: str) -> None:
    with pytest.raises(ModelFailure) as refused:
        MODEL.check_parameters({name: value})
    given = repr(value) if isinstance(value, str) else json.dumps(value)
    message = f"parameter {name}: {given} was given, allowed is {allowed}"
    assert (refused.value.reason, refused.value.message) == ("INVALID_PARAMETERS", message)


def test_an_unknown_parameter_is_refused_with_the_known_ones() -> None:
    names = "known are quality, maxImageSize, textureSize, faces, crop, markerSize, compress, obj, seed"
    with pytest.raises(ModelFailure, match=f"^INVALID_PARAMETERS: unknown parameter 'qualtiy': {names}$"):
        MODEL.check_parameters({"qualtiy": "fast"})
