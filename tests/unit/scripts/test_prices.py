"""Prices of mechanisms: statements are counted, and a row is written again only if its price is off."""

from pathlib import Path

import pytest

from scripts.generate import prices

MODULE = '"""Docstring."""\n\nX = 1\n\n\ndef double(x):\n    """Docstring."""\n    y = x\n    return 2 * y  # comment\n'


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    package = tmp_path / "operator/reconstruction_operator/state"
    (package / "lua").mkdir(parents=True)
    (package / "calls.py").write_text(MODULE)
    (package / "lua" / "beat.lua").write_text("-- a comment\nlocal x = 1\n\nreturn x  -- the result\n")
    (tmp_path / "chart.yaml").write_text("# a comment\nkind: FlowSchema\n")
    return tmp_path


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param("state/calls.py", 4, id="a module, without docstrings"),
        pytest.param("state/calls.py:double", 3, id="a function"),
        pytest.param("state/lua/beat.lua", 2, id="lines with code of another language"),
        pytest.param("state", 6, id="a folder"),
        pytest.param("chart.yaml", 1, id="from the root of the checkout"),
    ],
)
def test_statements_are_counted(checkout: Path, name: str, expected: int) -> None:
    assert prices.statements(name, checkout) == expected


@pytest.mark.parametrize("name", ["state/gone.py", "state/calls.py:gone"])
def test_a_module_that_does_not_exist_is_an_error(checkout: Path, name: str) -> None:
    with pytest.raises(prices.PriceError, match="gone"):
        prices.statements(name, checkout)


@pytest.mark.parametrize(("written", "expected"), [("", "6"), ("6", "6"), ("20", "6"), ("1,000", "6")])
def test_a_price_that_is_off_is_written_again(checkout: Path, written: str, expected: str) -> None:
    row = "| scripts | everybody | jobs are lost | `state` | {} |"
    assert prices.priced(row.format(written), checkout) == row.format(expected)


def test_a_price_within_a_tenth_stays(checkout: Path) -> None:
    (checkout / "operator/reconstruction_operator/state/calls.py").write_text("x = 1\n" * 98)
    row = "| scripts | everybody | jobs are lost | `state` | 105 |"
    assert prices.priced(row, checkout) == row


def test_other_lines_stay(checkout: Path) -> None:
    page = "# Decisions\n\n| mechanism | price |\n|---|---|\n| a | b | c |\n"
    assert prices.priced(page, checkout) == page
