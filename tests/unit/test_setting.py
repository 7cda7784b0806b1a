"""Setting: text, unit and reader follow from the default, unless they are given."""

from __future__ import annotations

import dataclasses

import pytest
from reconstruction_operator.setting import BOTH, WORKER, Setting, named, section

_field = section("The kiln", WORKER)


@dataclasses.dataclass(frozen=True)
class Kiln:
    """Settings that the product does not have."""

    HEAT_SECONDS: float = _field(2.5, "time in the fire", least=1.0, most=9.0)
    BRICKS: int = _field(3, "limit of the bricks", unit="NUMBER")
    GLAZES: tuple[str, ...] = _field(("blue", "green"), "colours")
    DOOR: str = _field("shut", "state of the door", choices=("shut", "open"), whose=BOTH)
    MARK: str = _field("", "the maker", unit="TEXT", read=lambda name, text: f"{name}:{text}")


ROWS = {row.name: row for row in map(named, dataclasses.fields(Kiln))}


@pytest.mark.parametrize(
    ("name", "default", "unit", "whose"),
    [
        pytest.param("HEAT_SECONDS", "2.5", "SECONDS", WORKER, id="the unit is the last word of the name"),
        pytest.param("BRICKS", "3", "NUMBER", WORKER, id="the unit is given"),
        pytest.param("GLAZES", "blue,green", "NAMES", WORKER, id="names are joined"),
        pytest.param("DOOR", "shut", "DOOR", BOTH, id="the owner is given"),
    ],
)
def test_a_row_holds_the_values_of_its_field(name: str, default: str, unit: str, whose: str) -> None:
    row = ROWS[name]
    assert row == Setting(name, default, unit, row.meaning, row.read, row.choices, "The kiln", whose, child=False)


def test_a_field_keeps_its_default_and_may_have_its_own_reader() -> None:
    assert Kiln().GLAZES == ("blue", "green")
    assert ROWS["MARK"].read("MARK", "x") == "MARK:x"
