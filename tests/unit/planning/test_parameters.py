"""Parameters against the schemas of models: what is refused, with which message, and what is left to the model."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reconstruction_operator.models.interface import ModelFailure
from reconstruction_operator.models.photogrammetry import PhotogrammetryModel
from reconstruction_operator.models.placeholder import PlaceholderModel
from reconstruction_operator.planning import parameters

PHOTOGRAMMETRY: dict[str, Any] = dict(PhotogrammetryModel.parameters_schema)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**7), 10**7) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(["quality", "faces", "crop", "seed", "stepSeconds", "other"])
VALUES = st.sampled_from(["fast", "standard", 1_000, 1_000_000, True, 0, 3_600]) | JSON


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param({}, "", id="none"),
        pytest.param({"quality": "fast", "faces": 5000, "crop": False}, "", id="good"),
        pytest.param(
            {"quality": "best"},
            "parameter quality: 'best' was given, allowed is one of preview, fast, standard, high",
            id="choice",
        ),
        pytest.param(
            {"faces": 5}, "parameter faces: 5 was given, allowed is a whole number from 1000 to 1000000", id="bounds"
        ),
        pytest.param({"crop": 1}, "parameter crop: 1 was given, allowed is true or false", id="kind"),
        pytest.param(
            {"qualty": "fast"},
            "unknown parameter 'qualty': did you mean quality? known are compress, crop, faces, markerSize, "
            "maxImageSize, obj, quality, seed, textureSize",
            id="name",
        ),
    ],
)
def test_the_problem_is_named_with_what_is_allowed(given: dict[str, Any], expected: str) -> None:
    assert parameters.problem(PHOTOGRAMMETRY, given) == expected


@given(st.dictionaries(NAMES, VALUES, max_size=3))
def test_parameters_that_a_model_accepts_fit_its_schema(given: dict[str, Any]) -> None:
    for model in (PhotogrammetryModel(), PlaceholderModel()):
        try:
            model.check_parameters(given)
        except ModelFailure:
            continue
        assert parameters.problem(model.parameters_schema, given) == ""


@pytest.mark.parametrize(
    "schema",
    [
        pytest.param({"type": "no such type"}, id="an unknown type"),
        pytest.param({"type": 5}, id="an invalid type"),
        pytest.param({"properties": {"a": {"enum": 5}}}, id="an invalid enum"),
        pytest.param({"properties": {"a": {"minimum": "x"}}}, id="an invalid bound"),
        pytest.param({"$ref": "http://127.0.0.1:1/schema"}, id="a reference"),
        pytest.param({"properties": {"a": {"pattern": "(x+x+)+y"}}}, id="a pattern that takes forever"),
        pytest.param({"patternProperties": {".*": {}}, "additionalProperties": False}, id="patterns of names"),
    ],
)
def test_an_invalid_or_slow_schema_refuses_nothing(schema: dict[str, Any]) -> None:
    assert parameters.problem(schema, {"a": "x" * 40}) == ""


@given(st.dictionaries(st.sampled_from(["type", "properties", "enum", "items", "required", "minimum"]), JSON), JSON)
def test_no_schema_raises(schema: dict[str, Any], value: Any) -> None:
    assert isinstance(parameters.problem(schema, {"a": value}), str)


def test_nested_parameters_are_named_by_their_path() -> None:
    schema = {"properties": {"mesh": {"properties": {"faces": {"type": "integer", "minimum": 1}}}}}
    text = parameters.problem(schema, {"mesh": {"faces": 0}})
    assert text == "parameter mesh.faces: 0 was given, allowed is a whole number of at least 1"
