"""Setting: text, unit and reader follow from the default, unless they are given."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from reconstruction_operator.readers import InvalidSettingError
from reconstruction_operator.setting import BOTH, WORKER, Setting, named, section

_field = section("The kiln", WORKER)


@dataclasses.dataclass(frozen=True)
class Kiln:
    """Settings that the product does not have."""

    HEAT_SECONDS: float = _field(2.5, "time in the fire", least=1.0, most=9.0)
    BRICKS: int = _field(3, "limit of the bricks", unit="NUMBER")
    GLAZES: tuple[str, ...] = _field(("blue", "green"), "colours")
    DOOR: str = _field("shut", "state of the door", choices=("shut", "open"), whose=BOTH, secret=True)
    MARK: str = _field("", "the maker", unit="TEXT", read=lambda name, text: f"{name}:{text}")


ROWS = {row.name: row for row in map(named, dataclasses.fields(Kiln))}


@pytest.mark.parametrize(
    ("name", "default", "unit", "whose", "secret"),
    [
        pytest.param("HEAT_SECONDS", "2.5", "SECONDS", WORKER, False, id="the unit is the last word of the name"),
        pytest.param("BRICKS", "3", "NUMBER", WORKER, False, id="the unit is given"),
        pytest.param("GLAZES", "blue,green", "NAMES", WORKER, False, id="names are joined"),
        pytest.param("DOOR", "shut", "DOOR", BOTH, True, id="owner and secrecy are given"),
    ],
)
def test_a_row_holds_the_values_of_its_field(name: str, default: str, unit: str, whose: str, secret: bool) -> None:
    row = ROWS[name]
    assert row == Setting(
        name, default, unit, row.meaning, row.read, row.choices, "The kiln", whose, secret, child=False
    )


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        pytest.param("HEAT_SECONDS", "4", 4.0, id="a number"),
        pytest.param("BRICKS", "7", 7, id="a whole number"),
        pytest.param("GLAZES", "red, white", ("red", "white"), id="names"),
        pytest.param("DOOR", "open", "open", id="one of the choices"),
        pytest.param("MARK", "x", "MARK:x", id="by the given reader"),
    ],
)
def test_the_type_of_the_default_selects_the_reader(name: str, text: str, expected: Any) -> None:
    assert ROWS[name].read(name, text) == expected


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        pytest.param("HEAT_SECONDS", "0.5", "must be at least 1", id="too little"),
        pytest.param("HEAT_SECONDS", "10", "must be at most 9", id="too much"),
        pytest.param("BRICKS", "1.5", "must be a whole number", id="a fraction"),
        pytest.param("DOOR", "ajar", "must be one of shut, open", id="not a choice"),
    ],
)
def test_text_beyond_the_limits_is_refused(name: str, text: str, problem: str) -> None:
    with pytest.raises(InvalidSettingError, match=problem):
        ROWS[name].read(name, text)


def test_a_field_keeps_its_default_as_a_value() -> None:
    assert Kiln().GLAZES == ("blue", "green")
