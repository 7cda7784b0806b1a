"""Shapes: what `kubectl explain` prints of a field follows from its shape."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from reconstruction_operator.api.schema import object_schema
from reconstruction_operator.api.shapes import default_text, description, member


def field_of(default: Any, **options: Any) -> dataclasses.Field[Any]:
    (field,) = dataclasses.fields(
        dataclasses.make_dataclass("Kind", [("thing", Any, member(default, "Text.", **options))])
    )
    return field


@pytest.mark.parametrize(
    ("default", "options", "expected"),
    [
        pytest.param("", {}, "", id="none"),
        pytest.param(None, {"absent": "no limit"}, "no limit", id="in words"),
        pytest.param("celery", {"stored_default": True}, "celery", id="text"),
        pytest.param(2, {"stored_default": True, "absent": "unused"}, "2", id="number"),
        pytest.param(False, {"stored_default": True}, "false", id="as YAML writes a boolean"),
    ],
)
def test_the_default_is_written_as_a_user_would(default: Any, options: dict[str, Any], expected: str) -> None:
    assert default_text(field_of(default, **options)) == expected


@pytest.mark.parametrize(
    ("default", "options", "expected"),
    [
        pytest.param("", {}, "Text.", id="text alone"),
        pytest.param(2, {"unit": "seconds"}, "Text. Unit: seconds.", id="unit"),
        pytest.param("", {"immutable": True}, "Text. Cannot be changed later.", id="immutable"),
        pytest.param(
            2,
            {"unit": "seconds", "stored_default": True, "immutable": True},
            "Text. Unit: seconds. Default: 2. Cannot be changed later.",
            id="all",
        ),
    ],
)
def test_the_description_has_unit_default_and_immutability(
    default: Any, options: dict[str, Any], expected: str
) -> None:
    assert description(field_of(default, **options)) == expected


def test_a_class_as_default_is_called_for_each_object() -> None:
    kind = dataclasses.make_dataclass("Kind", [("thing", dict, member(dict, "Text."))])

    assert kind().thing == {}
    assert kind().thing is not kind().thing


def test_a_field_without_a_shape_is_an_error() -> None:
    @dataclasses.dataclass
    class Bare:
        colour: str = ""

    with pytest.raises(TypeError, match="the field colour has no shape"):
        object_schema(Bare)
